/** The compose file: valid by the specification, confined, bounded, and about files that exist. */
import { existsSync, globSync, readFileSync } from 'node:fs'
import { dirname, join, resolve } from 'node:path'
import { Ajv } from 'ajv'
import { expect, test } from 'vitest'
import { parse } from 'yaml'
import { parseConfig as parseGateway } from '../../../edge-api/gateway/config.ts'
import { parseConfig as parseConsole } from '../../../infra/console/config.ts'
import { parseConfig as parseIngestor } from '../../../ingestor/config.ts'
import { parseConfig as parseJobs } from '../../../jobs/config.ts'
import { parseConfig as parseLive } from '../../../ingestor/live/config.ts'
import { ROOT } from '../../support/imports.ts'

const FILE = join(ROOT, 'infra/docker/compose.yaml')
/** Of a machine with 4 GB, with every profile. */
const MEMORY_MB_MAX = 4_096
/** Without a Postgres of its own and between upgrades: the rest is for the system. */
const MEMORY_MB_USUAL = 3_200

interface Service {
  readonly image: string
  readonly command?: readonly string[]
  readonly profiles?: readonly string[]
  readonly environment?: Readonly<Record<string, string>>
  readonly volumes?: readonly (string | { readonly source: string })[]
  readonly networks?: { readonly default?: { readonly aliases?: readonly string[] } }
  readonly ports?: readonly string[]
  readonly depends_on?: Readonly<Record<string, { readonly condition: string }>>
  readonly healthcheck?: { readonly test?: readonly string[]; readonly disable?: boolean }
  readonly mem_limit?: string
  readonly read_only?: boolean
  readonly cap_drop?: readonly string[]
  readonly security_opt?: readonly string[]
  readonly restart?: string
  readonly logging?: { readonly options?: Readonly<Record<string, string>> }
}

interface ComposeFile {
  readonly services: Readonly<Record<string, Service>>
  readonly volumes: Readonly<Record<string, unknown>>
}

const text = readFileSync(FILE, 'utf8')
const { services, volumes } = parse(text, { merge: true }) as ComposeFile
const named = Object.entries(services)
const ours = named.filter(([, { image }]) => image.startsWith('${BOOKTAPE_IMAGE'))

function fileViolations(file: unknown): readonly unknown[] {
  const schema: unknown = JSON.parse(
    readFileSync(join(import.meta.dirname, 'compose-spec.json'), 'utf8').replace(
      'https://json-schema.org/draft-07/schema',
      'http://json-schema.org/draft-07/schema#',
    ),
  )
  const ajv = new Ajv({ strict: false, validateFormats: false, allErrors: true })
  const validate = ajv.compile(schema as object)
  validate(file)
  return validate.errors ?? []
}

test('it is a compose file by the specification', () => {
  expect(fileViolations(parse(text, { merge: true }))).toEqual([])
  expect(fileViolations({ services: { x: { image: 'y', mem_limits: '1g' } } })).not.toEqual([])
})

test('it has every program of an installation, and what watches them', () => {
  expect(Object.keys(services).toSorted()).toEqual([
    'alertmanager',
    'caddy',
    'clusters',
    'console',
    'gateway',
    'grafana',
    'ingestor-a',
    'ingestor-b',
    'jobs',
    'live',
    'migrate',
    'node-exporter',
    'postgres',
    'postgres-exporter',
    'prometheus',
  ])
  expect(services['postgres']?.profiles).toEqual(['postgres'])
  expect(services['clusters']?.profiles).toEqual(['clusters'])
  expect(services['ingestor-b']?.profiles).toEqual(['upgrade'])
})

test('each container has a read-only root, no rights, a memory limit and bounded logs', () => {
  for (const [name, service] of named) {
    expect(service.read_only, name).toBe(true)
    expect(service.cap_drop, name).toEqual(['ALL'])
    expect(service.security_opt, name).toContain('no-new-privileges:true')
    expect(megabytes(service), name).toBeGreaterThan(0)
    expect(service.logging?.options, name).toMatchObject({ 'max-size': '20m', 'max-file': '5' })
  }
})

test('each container that stays has a health check and starts again', () => {
  for (const [name, { healthcheck, restart }] of named) {
    if (name === 'migrate') continue
    expect(healthcheck?.test?.[0], name).toBe('CMD')
    expect(restart, name).toBe('unless-stopped')
  }
})

test('the programs wait for the migration', () => {
  for (const [name, { depends_on }] of ours) {
    if (name === 'migrate') continue
    expect(depends_on?.['migrate']?.condition, name).toBe('service_completed_successfully')
  }
})

test('the memory limits fit 4 GB', () => {
  const sum = (list: typeof named): number =>
    list.reduce((total, [, service]) => total + megabytes(service), 0)
  // Postgres or the cluster engine: with both, the machine needs more.
  for (const profile of ['clusters', 'postgres']) {
    const others = named.filter(([, { profiles }]) => !profiles?.includes(profile))
    expect(others.length, profile).toBeLessThan(named.length)
    expect(sum(others), profile).toBeLessThanOrEqual(MEMORY_MB_MAX)
  }
  expect(sum(named.filter(([, { profiles }]) => profiles === undefined))).toBeLessThanOrEqual(
    MEMORY_MB_USUAL,
  )
})

test('images of others are pinned by version and digest', () => {
  const others = named.filter(([name]) => !ours.some(([own]) => own === name))
  expect(others.length).toBeGreaterThan(5)
  for (const [name, { image }] of others) {
    expect(image, name).toMatch(/^[\w./-]+:v?\d+\.\d+[\w.-]*@sha256:[0-9a-f]{64}$/)
  }
})

test('only Caddy listens beyond this machine', () => {
  for (const [name, { ports = [] }] of named) {
    if (name === 'caddy') expect(ports).toEqual(['80:80', '443:443'])
    else for (const port of ports) expect(port, name).toMatch(/^127\.0\.0\.1:/)
  }
})

test('commands name programs, and mounts name files and volumes, that exist', () => {
  for (const [name, { command }] of ours) {
    expect(existsSync(join(ROOT, command![0]!)), `${name}: ${command![0]}`).toBe(true)
  }
  for (const [name, { volumes: mounts = [] }] of named) {
    for (const mount of mounts) {
      const source = typeof mount === 'string' ? mount.split(/:(?!-)/)[0]! : mount.source
      if (source.startsWith('.')) {
        expect(existsSync(resolve(dirname(FILE), source)), `${name}: ${source}`).toBe(true)
      } else if (!/^[/$]/.test(source)) {
        expect(Object.keys(volumes), name).toContain(source)
      }
    }
  }
})

/** What an operator writes, and what Compose fills in. */
const SETTINGS = {
  DATABASE_URL: 'postgres://user:password@host/booktape',
  S3_ENDPOINT: 'https://store.example.com',
  S3_BUCKET: 'b',
  S3_REGION: 'r',
  S3_ACCESS_KEY_ID: 'k',
  S3_SECRET_ACCESS_KEY: 's',
  WORK_DIR: '/var/lib/booktape/work',
  TOKEN_SECRET: 't'.repeat(32),
  GATEWAY_SECRET: 'change-me-to-something-long',
}

for (const [name, parseConfig] of [
  ['ingestor-a', parseIngestor],
  ['ingestor-b', parseIngestor],
  ['jobs', parseJobs],
  ['gateway', parseGateway],
  ['live', parseLive],
  ['console', parseConsole],
] as const) {
  test(`${name} accepts the environment that it gets`, () => {
    const given = Object.entries(services[name]!.environment ?? {}).map(([key, value]) => [
      key,
      value
        .replace(/\$\{METRICS_TOKEN[^}]*\}/, 't'.repeat(32))
        .replace(/\$\{DOMAIN[^}]*\}/, 'd.example')
        .replace(/\$\{CONSOLE_TOKENS[^}]*\}/, `alice:operate:${'o'.repeat(32)}`),
    ])
    const read: string[] = []
    const env = new Proxy({ ...SETTINGS, ...Object.fromEntries(given) } as Record<string, string>, {
      get(target, key) {
        read.push(String(key))
        return target[String(key)]
      },
    })
    parseConfig(env)
    expect(given.map(([key]) => key).filter((key) => !read.includes(key!))).toEqual([])
  })
}

test('Prometheus scrapes every program and exporter of this file', () => {
  const folder = join(dirname(FILE), 'targets')
  const asked = globSync('*.json', { cwd: join(ROOT, 'infra/prometheus/targets') })
  expect(globSync('*.json', { cwd: folder }).toSorted()).toEqual(asked.toSorted())
  for (const name of asked) {
    const [{ targets }] = JSON.parse(readFileSync(join(folder, name), 'utf8')) as [
      { readonly targets: readonly string[] },
    ]
    for (const target of targets) {
      const [host = '', port] = target.split(':')
      const answering = named.filter(
        ([service, { networks }]) =>
          service === host || networks?.default?.aliases?.includes(host) === true,
      )
      expect(answering.length, target).toBeGreaterThan(0)
      for (const [, { environment = {} }] of answering) {
        const { METRICS_PORT, METRICS_HOSTS, CONSOLE_PORT, CONSOLE_HOSTS } = environment
        expect(METRICS_PORT ?? CONSOLE_PORT ?? port, target).toBe(port)
        expect((METRICS_HOSTS ?? CONSOLE_HOSTS ?? host).split(','), target).toContain(host)
      }
    }
  }
})

function megabytes({ mem_limit }: Service): number {
  return Number(/^(\d+)m$/.exec(mem_limit ?? '')?.[1] ?? 0)
}
