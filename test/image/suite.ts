/**
 * The image, built for real from infra/docker/Dockerfile without a container engine, and its
 * programs run from it as an engine would run them.
 */
import { randomBytes } from 'node:crypto'
import { once } from 'node:events'
import {
  chmodSync,
  chownSync,
  mkdtempSync,
  readFileSync,
  readlinkSync,
  rmSync,
  writeFileSync,
} from 'node:fs'
import { type AddressInfo, createServer } from 'node:net'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { setTimeout as sleep } from 'node:timers/promises'
import { afterAll, beforeAll, describe, expect, inject, test } from 'vitest'
import { createPool, type Pool } from '#core/node/pool.ts'
import { type ExchangeServer, startExchange } from '../../infra/exchange/server.ts'
import { freePort } from '../../infra/local/ports.ts'
import { takeBucket } from '../support/bucket.ts'
import { withDatabase } from '../support/global-setup.ts'
import { BASE_IMAGE, makeBaseImages, NODE_IMAGE, NPM_CACHE_MOUNT, npmConfig } from './base.ts'
import { type Container, startContainer } from './container.ts'
import { makeContext } from './context.ts'
import { type ImageConfig, openImageStore } from './store.ts'
import { run, whyNoImage } from './tools.ts'

const IMAGE = 'localhost/booktape'
/** With a base of 37 MB. Debian's slim image has 75 MB. */
const IMAGE_MB_MAX = 240
const STOP_S_MAX = 10
const UID = 10_001
const SECRET = randomBytes(24).toString('hex')
const SYMBOLS = ['BTCUSDT', 'ETHUSDT']
const TOKEN = 'o'.repeat(32)
const TAPE = '/var/lib/booktape/tape'
const WORK = '/var/lib/booktape/work'

const why_not = whyNoImage()
if (why_not !== undefined) process.stdout.write(`The image is not tested: ${why_not}\n`)

describe.skipIf(why_not !== undefined)('the image', () => {
  const dir = mkdtempSync(join(tmpdir(), 'booktape-image-'))
  chmodSync(dir, 0o755)
  const store = openImageStore(join(dir, 'store'))
  const running: Container[] = []
  const figures: string[] = []
  let root: string
  let config: ImageConfig
  let pool: Pool
  let exchange: ExchangeServer
  let services: Record<string, string>

  beforeAll(async () => {
    makeBaseImages(store, dir)
    const context = join(dir, 'context')
    makeContext(context, SECRET)
    const npmrc = join(dir, 'npmrc')
    writeFileSync(npmrc, `//registry.example.com/:_authToken=${SECRET}\n`)
    const began_ms = performance.now()
    store.build({
      context,
      dockerfile: join(context, 'infra/docker/Dockerfile'),
      args: {
        BASE_IMAGE,
        NODE_IMAGE,
        VERSION: '1.2.3',
        REVISION: 'abc',
        SOURCE: 'https://git.example.com',
      },
      secret: { id: 'npmrc', file: npmrc },
      mounts: [`${npmConfig('cache')}:${NPM_CACHE_MOUNT}`],
      tag: IMAGE,
    })
    figures.push(`built in ${seconds(began_ms)} s`)
    root = store.mount(IMAGE)
    config = store.config(IMAGE)
    const server_url = inject('postgres_url')
    const database_url = withDatabase(server_url, 'image')
    const admin = createPool(server_url, 'test', 1)
    await admin.query('create database image')
    await admin.end()
    pool = createPool(database_url, 'test', 2)
    exchange = await startExchange({
      port: 0,
      source: { kind: 'sim', seed: 7, symbols: SYMBOLS, events_per_s: 600 },
    })
    const bucket = takeBucket()
    services = {
      DATABASE_URL: database_url,
      S3_ENDPOINT: bucket.endpoint,
      S3_BUCKET: bucket.bucket,
      S3_REGION: bucket.region,
      S3_ACCESS_KEY_ID: bucket.access_key_id,
      S3_SECRET_ACCESS_KEY: bucket.secret_access_key,
    }
  })

  afterAll(async () => {
    process.stdout.write(`${figures.map((line) => `image: ${line}\n`).join('')}`)
    for (const container of running) if (container.is_running) container.signal('SIGKILL')
    await Promise.all(running.map(({ exited }) => exited))
    await pool?.end()
    await exchange?.stop()
    store.remove()
    rmSync(dir, { recursive: true, force: true })
  })

  /** As a new volume is: with the owner of the image's folder. */
  function newVolume(owner = UID): string {
    const volume = mkdtempSync(join(dir, 'volume-'))
    chmodSync(volume, 0o750)
    chownSync(volume, owner, owner)
    return volume
  }

  function start(
    args: readonly string[],
    env: Record<string, string>,
    volumes: Readonly<Record<string, string>> = {},
  ): Container {
    const container = startContainer({ root, config, args, env, volumes }, dir)
    running.push(container)
    return container
  }

  function ingestorEnv(): Record<string, string> {
    return {
      DATABASE_URL: services['DATABASE_URL']!,
      EXCHANGE_WS_URL: exchange.ws_url,
      EXCHANGE_REST_URL: exchange.url,
      SYMBOLS: SYMBOLS.join(','),
    }
  }

  async function becomeHealthy(name: string, container: Container): Promise<void> {
    const began_ms = performance.now()
    await hasBegun(container)
    expect(container.checkHealth().output).toMatch(/not ready|^$/)
    await expect.poll(() => healthOf(container), { interval: 100 }).toBe('healthy')
    await expect.poll(() => container.memoryMb()).toBeGreaterThan(0)
    figures.push(
      `${name} is healthy after ${seconds(began_ms)} s with ${container.memoryMb().toFixed(0)} MB`,
    )
  }

  async function stop(name: string, container: Container): Promise<void> {
    const began_ms = performance.now()
    container.signal('SIGTERM')
    expect(await container.exited, container.output()).toEqual({ code: 0, signal: null })
    figures.push(`${name} stopped in ${seconds(began_ms)} s`)
    expect(performance.now() - began_ms).toBeLessThan(STOP_S_MAX * 1_000)
  }

  test('it runs as a user without rights, names what it is, and has no shell around node', () => {
    expect(config.User).toBe(`${UID}:${UID}`)
    expect(config.StopSignal).toBe('SIGTERM')
    expect(config.Entrypoint[0]).toBe('/usr/local/bin/node')
    expect(config.Healthcheck.Test.slice(0, 2)).toEqual(['CMD', '/usr/local/bin/node'])
    const label = (name: string): string | undefined =>
      config.Labels[`org.opencontainers.image.${name}`]
    expect(label('title')).toBe('booktape')
    expect(label('version')).toBe('1.2.3')
    expect(label('revision')).toBe('abc')
    expect(label('source')).toBe('https://git.example.com')
    expect(label('licenses')).toBe('UNLICENSED')
  })

  test('what it names by default is pinned by tag and digest', () => {
    const text = readFileSync(join(dir, 'context/infra/docker/Dockerfile'), 'utf8')
    const pins = [...text.matchAll(/^ARG \w+_IMAGE=(.*)$/gm)].map(([, image]) => image)
    expect(pins).toHaveLength(2)
    for (const pin of pins) expect(pin).toMatch(/^[\w./-]+:[\w.-]+@sha256:[0-9a-f]{64}$/)
  })

  test('no secret of the checkout or of the build is in it, and no file of it can be changed', () => {
    const found = run('sh', ['-c', `grep -rlF ${SECRET} ${root} || true`])
    expect(found).toBe('')
    expect(store.history(IMAGE)).not.toContain(SECRET)
    expect(run('find', [join(root, 'app'), '-user', String(UID)])).toBe('')
    expect(run('find', [root, '-xdev', '-perm', '/6000', '-type', 'f'])).toBe('')
  })

  test('its bill of materials lists Node and exactly the packages in it', () => {
    const bom = JSON.parse(readFileSync(join(root, 'app/sbom.cdx.json'), 'utf8')) as {
      bomFormat: string
      components: { name: string; version: string; purl: string }[]
    }
    expect(bom.bomFormat).toBe('CycloneDX')
    const installed = run('find', [join(root, 'app/node_modules'), '-name', 'package.json'])
      .split('\n')
      .filter((path) => /node_modules\/(@[^/]+\/)?[^/]+\/package\.json$/.test(path))
      .map((path) => JSON.parse(readFileSync(path, 'utf8')) as { name: string; version: string })
      .map(({ name, version }) => `${name}@${version}`)
    const node = `node@${process.versions.node}`
    const listed = bom.components.map(({ name, version }) => `${name}@${version}`)
    expect(listed.toSorted()).toEqual([...new Set(installed), node].toSorted())
  })

  test(`it is at most ${IMAGE_MB_MAX} MB large`, () => {
    const size = (path: string): number => Number(run('du', ['-sm', path]).split('\t')[0])
    figures.push(`${size(root)} MB, of that ${size(join(root, 'app'))} MB in /app`)
    expect(size(root)).toBeLessThanOrEqual(IMAGE_MB_MAX)
  })

  test('migrate brings an empty database to the schema, once', async () => {
    const first = start(['infra/cli/main.ts', 'migrate'], services)
    expect(await first.exited, first.output()).toEqual({ code: 0, signal: null })
    expect(first.output()).toContain('Applied')
    const second = start(['infra/cli/main.ts', 'migrate'], services)
    expect((await second.exited).code).toBe(0)
    expect(second.output()).toContain('Nothing to do')
  })

  test('the ingestor records, survives kill -9, and stops within ten seconds', async () => {
    const rows = async (): Promise<number> => {
      const sql = 'select count(*)::int as n from marketdata.book_ticker'
      return (await pool.query<{ n: number }>(sql)).rows[0]!.n
    }
    const volumes = { [TAPE]: newVolume() }
    const first = start(['ingestor/main.ts'], ingestorEnv(), volumes)
    await becomeHealthy('ingestor', first)
    await expect.poll(rows).toBeGreaterThan(100)
    expectConfined(first)
    first.signal('SIGKILL')
    await first.exited
    const before = await rows()
    const second = start(['ingestor/main.ts'], ingestorEnv(), volumes)
    await hasBegun(second)
    await expect.poll(() => healthOf(second), { interval: 100 }).toBe('healthy')
    await expect.poll(rows).toBeGreaterThan(before + 100)
    await stop('ingestor', second)
    const twice = await pool.query(
      'select 1 from marketdata.book_ticker group by symbol_id, ts_exchange, update_id having count(*) > 1',
    )
    expect(twice.rows).toEqual([])
  })

  test('jobs run, and stop within ten seconds', async () => {
    const jobs = start(
      ['jobs/main.ts'],
      { ...services, ROLLUPS_EVERY_S: '1' },
      { [WORK]: newVolume() },
    )
    await becomeHealthy('jobs', jobs)
    const rolled = async (): Promise<number> => {
      const sql = 'select count(*)::int as n from marketdata.bt_1s'
      return (await pool.query<{ n: number }>(sql)).rows[0]!.n
    }
    await expect.poll(rolled).toBeGreaterThan(0)
    expectConfined(jobs)
    await stop('jobs', jobs)
  })

  test('the gateway answers, a hanging one is unhealthy, and it stops within ten seconds', async () => {
    const port = await freePort()
    const gateway = start(['edge-api/gateway/main.ts'], {
      DATABASE_URL: services['DATABASE_URL']!,
      GATEWAY_SECRET: SECRET,
      PORT: String(port),
    })
    await becomeHealthy('gateway', gateway)
    expect((await fetch(`http://127.0.0.1:${port}/health`)).status).toBe(200)
    expectConfined(gateway)
    gateway.signal('SIGSTOP')
    gateway.exec(['/bin/touch', '-d', '1 minute ago', '/dev/shm/booktape-health'])
    expect(gateway.checkHealth().output).toContain('has not answered')
    gateway.signal('SIGCONT')
    await expect.poll(() => healthOf(gateway), { interval: 100 }).toBe('healthy')
    await stop('gateway', gateway)
  })

  test('the console serves its page without a bundler, and stops within ten seconds', async () => {
    const port = await freePort()
    const console = start(['infra/console/main.ts'], {
      ...services,
      CONSOLE_PORT: String(port),
      CONSOLE_TOKENS: `alice:operate:${TOKEN}`,
    })
    await becomeHealthy('console', console)
    const page = await (await fetch(`http://127.0.0.1:${port}/`)).text()
    const script = /src="(\/assets\/app-[0-9a-f]{12}\.js)"/.exec(page)?.[1]
    expect(await (await fetch(`http://127.0.0.1:${port}${script}`)).text()).toContain('/api/')
    expectConfined(console)
    await stop('console', console)
  })

  test("the live server and the console need to read an ingestor's volume only", async () => {
    const volume = newVolume()
    const ingestor = start(['ingestor/main.ts'], ingestorEnv(), { [TAPE]: volume })
    await hasBegun(ingestor)
    const port = await freePort()
    const live = start(
      ['ingestor/live/main.ts'],
      {
        ...services,
        LIVE_TAPES: `local=${TAPE}`,
        LIVE_PORT: String(port),
        LIVE_PUBLIC: 'true',
      },
      { [`${TAPE}:ro`]: volume },
    )
    await becomeHealthy('live server', live)
    expect((await fetch(`http://127.0.0.1:${port}/health`)).status).toBe(200)
    expectConfined(live)
    await becomeHealthy('ingestor', ingestor)
    const status = start(
      ['infra/cli/main.ts', 'status', '--server', `${TAPE}/control.sock`],
      {},
      { [`${TAPE}:ro`]: volume },
    )
    await status.exited
    expect(status.output()).toContain('local (binance-futures)')
    await stop('live server', live)
    await stop('ingestor', ingestor)
  })

  test('a signal ends a program that is still starting, and a command without a handler', async () => {
    // It accepts connections and says nothing, so that both wait.
    const server = createServer().listen(0, '127.0.0.1')
    await once(server, 'listening')
    const { port } = server.address() as AddressInfo
    const env = { ...services, DATABASE_URL: `postgres://u:p@127.0.0.1:${port}/x` }
    for (const args of [['jobs/main.ts'], ['infra/cli/main.ts', 'migrate']]) {
      const container = start(args, env, { [WORK]: newVolume() })
      await hasBegun(container)
      await expect.poll(() => catchesSignals(container), { interval: 5 }).toBe(true)
      container.signal('SIGTERM')
      expect(await container.exited).toEqual({ code: 128 + 15, signal: null })
    }
    server.close()
  })

  for (const [args, variable, code = 1] of [
    [['ingestor/main.ts'], 'DATABASE_URL'],
    [['jobs/main.ts'], 'S3_ENDPOINT'],
    [['edge-api/gateway/main.ts'], 'GATEWAY_SECRET'],
    [['ingestor/live/main.ts'], 'TOKEN_SECRET'],
    [['infra/console/main.ts'], 'CONSOLE_TOKENS'],
    [['infra/cli/main.ts', 'migrate'], 'DATABASE_URL', 2],
  ] as const) {
    test(`${args.join(' ')} without ${variable} says so and ends`, async () => {
      const { [variable]: _, ...others } = services
      const container = start(args, others)
      expect((await container.exited).code).toBe(code)
      expect(container.output()).toContain(variable)
    })
  }

  for (const [name, entry, folder] of [
    ['ingestor', 'ingestor/main.ts', TAPE],
    ['jobs', 'jobs/main.ts', WORK],
  ] as const) {
    const settings = (): Record<string, string> => ({ ...services, ...ingestorEnv() })
    test(`${name} on a volume of another user says whose it is and what to do`, async () => {
      const container = start([entry], settings(), { [folder]: newVolume(0) })
      expect((await container.exited).code).toBe(1)
      expect(container.output()).toContain(`${folder} belongs to 0:0`)
      expect(container.output()).toContain(`chown -R ${UID}:${UID} ${folder}`)
    })

    test(`${name} without a volume says that its folder cannot be written`, async () => {
      const container = start([entry], settings())
      expect((await container.exited).code).toBe(1)
      expect(container.output()).toContain(
        `${folder} cannot be written: its file system is read-only`,
      )
      expect(container.output()).toContain('Mount a volume there')
    })
  }
})

/** Says why it ended, if it did. */
function healthOf(container: Container): string {
  if (!container.is_running) throw new Error(`It ended: ${container.output()}`)
  const { code, output } = container.checkHealth()
  return code === 0 ? 'healthy' : output
}

function expectConfined(container: Container): void {
  const read = (path: string): string => container.exec(['/bin/cat', path]).output
  expect(read('/proc/1/cmdline').split('\0')[0]).toBe('/usr/local/bin/node')
  expect(read('/proc/1/status')).toMatch(new RegExp(`^Uid:\\s+${UID}\\s+${UID}`, 'm'))
  expect(read('/proc/1/status')).toMatch(/^CapEff:\s+0+$/m)
  expect(container.exec(['/bin/touch', '/app/x']).output).toMatch(/Read-only|Permission denied/)
}

function seconds(since_ms: number): string {
  return ((performance.now() - since_ms) / 1_000).toFixed(1)
}

/** Node runs: what prepares a container is over. */
async function hasBegun(container: Container): Promise<void> {
  for (;;) {
    if (!container.is_running) throw new Error(`It ended: ${container.output()}`)
    const { pid } = container
    // Its name is another one later.
    if (pid !== undefined && readlinkSync(`/proc/${pid}/exe`).endsWith('/node')) return
    await sleep(5)
  }
}

/**
 * Something of ours handles signals. Node itself handles SIGTERM from its first moment on, in vain
 * as process 1, but not SIGHUP: the kernel's bit of signal 1 among the caught ones tells.
 */
function catchesSignals({ pid }: Container): boolean {
  const caught = /^SigCgt:\s+([0-9a-f]+)$/m.exec(readFileSync(`/proc/${pid}/status`, 'utf8'))?.[1]
  return (BigInt(`0x${caught}`) & 1n) !== 0n
}
