/** The Terraform files, parsed; Terraform's own formatter, where it is installed. */
import { spawnSync } from 'node:child_process'
import { readdirSync, readFileSync } from 'node:fs'
import { join } from 'node:path'
import { beforeAll, expect, test } from 'vitest'
import { ROOT } from '../support/imports.ts'

/** Its types bring those of a browser into every file. */
const PARSER: string = '@cdktf/hcl2json'
const { parse } = (await import(PARSER)) as {
  parse(name: string, text: string): Promise<unknown>
}

const DIR = join(ROOT, 'infra/terraform')
const TEXTS = readdirSync(DIR)
  .filter((name) => name.endsWith('.tf'))
  .map((name) => ({ name, text: readFileSync(join(DIR, name), 'utf8') }))
const ALL = TEXTS.map(({ text }) => text).join('\n')
const CLOUD_INIT = readFileSync(join(DIR, 'cloud-init.yaml.tftpl'), 'utf8')

type Blocks = Readonly<Record<string, readonly Readonly<Record<string, unknown>>[]>>
interface Parsed {
  readonly variable?: Blocks
  readonly output?: Blocks
  readonly resource?: Readonly<Record<string, Blocks>>
  readonly data?: Readonly<Record<string, Blocks>>
}
let files: readonly Parsed[]

beforeAll(async () => {
  files = await Promise.all(TEXTS.map(({ name, text }) => parse(name, text) as Promise<Parsed>))
})

const blocks = (kind: 'variable' | 'output') =>
  files.flatMap((file) =>
    Object.entries(file[kind] ?? {}).map(([name, [body]]) => ({ name, body })),
  )

test('every variable and output is described, and secrets are marked as such', () => {
  const variables = blocks('variable')
  expect(variables.length).toBeGreaterThan(10)
  for (const { name, body } of [...variables, ...blocks('output')]) {
    expect(String(body?.['description'] ?? '').length, name).toBeGreaterThan(15)
    const is_secret = /secret|password|_token$|access_key|database_url/.test(name)
    expect(body?.['sensitive'] ?? false, name).toBe(is_secret)
  }
  for (const { name, body } of variables) {
    if (body?.['sensitive'] === true) expect(body['default'], name).toBeUndefined()
    expect(ALL, name).toContain(`var.${name}`)
  }
})

test('everything that is referred to exists', () => {
  const variables = new Set(blocks('variable').map(({ name }) => name))
  const used = [...ALL.matchAll(/\bvar\.(\w+)/g)].map(([, name]) => name!)
  expect(used.filter((name) => !variables.has(name))).toEqual([])
  const existing = new Set(
    files.flatMap(({ resource = {}, data = {} }) => [
      ...Object.entries(resource).flatMap(([type, named]) =>
        Object.keys(named).map((name) => `${type}.${name}`),
      ),
      ...Object.entries(data).flatMap(([type, named]) =>
        Object.keys(named).map((name) => `data.${type}.${name}`),
      ),
    ]),
  )
  const references = [...ALL.matchAll(/\b(data\.)?(digitalocean_\w+\.\w+)/g)]
  expect(references.length).toBeGreaterThan(20)
  const missing = references
    .map(([, data = '', name]) => data + name)
    .filter((one) => !existing.has(one))
  expect(missing).toEqual([])
})

test('the machine comes with what it needs, and its data is not destroyed', () => {
  const resources = Object.assign({}, ...files.map(({ resource }) => resource)) as Record<
    string,
    unknown
  >
  for (const type of [
    'digitalocean_droplet',
    'digitalocean_database_cluster',
    'digitalocean_database_firewall',
    'digitalocean_spaces_bucket',
    'digitalocean_spaces_bucket_cors_configuration',
    'digitalocean_firewall',
    'digitalocean_record',
    'digitalocean_monitor_alert',
  ]) {
    expect(Object.keys(resources), type).toContain(type)
  }
  const kept =
    /resource "digitalocean_(?:database_cluster|spaces_bucket)" [\s\S]*?prevent_destroy = true/g
  expect([...ALL.matchAll(kept)].length).toBe(2)
  const ports = [...ALL.matchAll(/inbound_rule \{[\s\S]*?port_range\s+= "(\d+)"/g)].map(
    ([, port]) => port,
  )
  expect(ports).toEqual(['22', '80', '443'])
})

test('cloud-init gets each value that it names, and its script is one', () => {
  const named = new Set([...CLOUD_INIT.matchAll(/\$\{(\w+)/g)].map(([, name]) => name!))
  const call = /templatefile\([^{]*\{([\s\S]*?)\n {2}\}\)/.exec(ALL)?.[1] ?? ''
  const given = [...call.matchAll(/^ {4}(\w+)\s+=/gm)].map(([, name]) => name!)
  expect(given.toSorted()).toEqual([...named].toSorted())
  const [, script = ''] =
    /setup\.sh\n {4}permissions: "0700"\n {4}content: \|\n((?: {6}.*\n)+)/.exec(CLOUD_INIT) ?? []
  expect(script).toContain('install.sh')
  const { status, stderr } = spawnSync('bash', ['-n'], { input: script, encoding: 'utf8' })
  expect(stderr).toBe('')
  expect(status).toBe(0)
})

const has_terraform = spawnSync('terraform', ['version']).error === undefined
if (!has_terraform)
  process.stderr.write('terraform fmt is not checked: terraform is not installed.\n')
test.skipIf(!has_terraform)('the files are formatted', () => {
  const { stdout } = spawnSync('terraform', ['fmt', '-check', DIR], { encoding: 'utf8' })
  expect(stdout).toBe('')
})
