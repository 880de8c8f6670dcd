/**
 * An installation with a Postgres of its own, a real ingestor and a simulated exchange, and its
 * console.
 */
import { chmodSync } from 'node:fs'
import { join } from 'node:path'
import { afterAll } from 'vitest'
import { silentLogger } from '#core/node/log.ts'
import { migrate } from '#core/node/migrate.ts'
import { createObjectStore, type ObjectStore } from '#core/node/object-store.ts'
import { createPool, type Pool } from '#core/node/pool.ts'
import { parseConfig } from '../../../infra/console/config.ts'
import { type Console, startConsole } from '../../../infra/console/server.ts'
import type { Snapshot } from '../../../infra/console/wire.ts'
import { type ExchangeServer, startExchange } from '../../../infra/exchange/server.ts'
import { freePort } from '../../../infra/local/ports.ts'
import { type Postgres, startPostgres } from '../../../infra/local/postgres.ts'
import { type IngestorProcess, startIngestor } from '../../ingestor/support.ts'
import { temporaryDirectory } from '../../ingestor/writer/support.ts'
import { takeBucket } from '../../support/bucket.ts'

export const OPERATE = 'o'.repeat(32)
export const READ = 'r'.repeat(32)
export const SYMBOLS = ['BTCUSDT', 'ETHUSDT', 'SOLUSDT']

export interface Stand {
  readonly url: string
  readonly tape_dir: string
  readonly pool: Pool
  readonly store: ObjectStore
  readonly exchange: ExchangeServer
  readonly ingestor: IngestorProcess
  startIngestor(): Promise<void>
  stopPostgres(): Promise<void>
  startPostgres(): Promise<void>
  stopConsole(): Promise<void>
  startConsole(): Promise<void>
  summary(): Promise<Snapshot>
}

export interface StandOptions {
  /** Further settings of the ingestor. */
  readonly ingestor_env?: Readonly<Record<string, string>>
  /** The console is told the ingestor's socket, and not only by its heartbeat. */
  readonly knows_socket?: boolean
  readonly symbols?: readonly string[]
  readonly events_per_s?: number
}

export async function startStand({
  ingestor_env = {},
  knows_socket = false,
  symbols = SYMBOLS,
  events_per_s = 600,
}: StandOptions = {}): Promise<Stand> {
  const dir = temporaryDirectory()
  chmodSync(dir, 0o755)
  const settings = { dir: join(dir, 'postgres'), port: await freePort(), password: 'test' }
  let postgres: Postgres = await startPostgres(settings)
  const pool = createPool(postgres.url, 'test', 2)
  await migrate(pool)
  const exchange = await startExchange({
    port: 0,
    source: { kind: 'sim', seed: 7, symbols, events_per_s },
  })
  const bucket = takeBucket()
  const store = createObjectStore(bucket)
  const env = {
    DATABASE_URL: postgres.url,
    INGESTOR_ID: 'one',
    TAPE_DIR: join(dir, 'tape'),
    EXCHANGE_WS_URL: exchange.ws_url,
    EXCHANGE_REST_URL: exchange.url,
    SYMBOLS: symbols.join(','),
    DEPTH_SYMBOLS: 'all',
    ...ingestor_env,
  }
  let ingestor = startIngestor(env)
  await ingestor.ready
  const port = await freePort()
  const config = parseConfig({
    DATABASE_URL: postgres.url,
    S3_ENDPOINT: bucket.endpoint,
    S3_BUCKET: bucket.bucket,
    S3_REGION: bucket.region,
    S3_ACCESS_KEY_ID: bucket.access_key_id,
    S3_SECRET_ACCESS_KEY: bucket.secret_access_key,
    CONSOLE_PORT: String(port),
    CONSOLE_OPEN_TO_READ: '1',
    CONSOLE_INGESTORS: knows_socket ? `unix:${join(env.TAPE_DIR, 'control.sock')}` : '',
    CONSOLE_TOKENS: `alice:operate:${OPERATE},bob:read:${READ}`,
  })
  let console_server: Console | undefined = await startConsole(config, silentLogger)
  const { url } = console_server
  afterAll(async () => {
    await console_server?.stop()
    ingestor.kill('SIGKILL')
    await ingestor.exited
    store.close()
    await pool.end()
    await exchange.stop()
    await postgres.stop()
  })
  return {
    url,
    tape_dir: env.TAPE_DIR,
    pool,
    store,
    exchange,
    get ingestor() {
      return ingestor
    },
    async startIngestor() {
      ingestor = startIngestor(env)
      await ingestor.ready
    },
    stopPostgres: () => postgres.stop(),
    async startPostgres() {
      postgres = await startPostgres(settings)
    },
    async stopConsole() {
      await console_server?.stop()
      console_server = undefined
    },
    async startConsole() {
      console_server = await startConsole(config, silentLogger)
    },
    summary: async () => (await (await fetch(`${url}/api/summary`)).json()) as Snapshot,
  }
}

/** Watches as the page does, so that the console looks as often as it does then. */
export async function watch(
  url: string,
): Promise<{ newest(): Snapshot | undefined; count(): number; end(): void }> {
  const controller = new AbortController()
  const response = await fetch(`${url}/api/events`, { signal: controller.signal })
  let newest: Snapshot | undefined
  let count = 0
  const follow = async (): Promise<void> => {
    let text = ''
    for await (const chunk of response.body!.pipeThrough(new TextDecoderStream())) {
      text += chunk
      const parts = text.split('\n\n')
      text = parts.pop()!
      for (const part of parts) {
        const data = /^data: (.*)$/m.exec(part)?.[1]
        if (data === undefined) continue
        newest = JSON.parse(data) as Snapshot
        count++
      }
    }
  }
  void follow().catch(() => undefined)
  return { newest: () => newest, count: () => count, end: () => controller.abort() }
}
