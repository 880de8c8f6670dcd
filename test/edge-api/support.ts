/** The edge for tests: a database with a reader login, the real gateway, a real object store. */
import { createHash, randomBytes } from 'node:crypto'
import { mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import type { DatasetFile, Manifest } from '#core/dataset.ts'
import { silentLogger } from '#core/node/log.ts'
import {
  createObjectStore,
  type ObjectStore,
  type ObjectStoreConfig,
} from '#core/node/object-store.ts'
import type { Pool } from '#core/node/pool.ts'
import { datasetFileKey, latestKey, manifestKey } from '#core/object-keys.ts'
import { parseDay } from '#core/time.ts'
import { CHECKS, type Report } from '#core/validation.ts'
import { parseConfig } from '../../edge-api/gateway/config.ts'
import { startGateway } from '../../edge-api/gateway/server.ts'
import { startObjectStore } from '../../infra/local/object-store.ts'
import { takeBucket } from '../support/bucket.ts'
import { createTestDatabase, type TestDatabase } from '../support/database.ts'
import { atFileEnd } from '../support/file-end.ts'

export const SECRET = 'a secret of the tests'
export const TOKEN_SECRET = 'a secret of the tests, for tokens of the tests'

/**
 * A database and the URL of a login in it that is a member of booktape_reader, as in production.
 */
export async function createReaderDatabase(): Promise<
  TestDatabase & { readonly reader_url: string }
> {
  const database = await createTestDatabase()
  const login = `reader_${randomBytes(6).toString('hex')}`
  const password = 'p@ss w/rd:%1'
  await database.pool.query(
    `create role ${login} login password '${password}' in role booktape_reader`,
  )
  atFileEnd(async () => {
    await database.pool.query(`drop role ${login}`).catch(() => undefined)
  })
  const url = new URL(database.url)
  url.username = login
  url.password = encodeURIComponent(password)
  return { ...database, reader_url: url.href }
}

export async function startTestGateway(
  reader_url: string,
  environment: Readonly<Record<string, string>> = {},
) {
  const config = parseConfig({
    PORT: '0',
    DATABASE_URL: reader_url,
    GATEWAY_SECRET: SECRET,
    ...environment,
  })
  return startGateway(config, silentLogger)
}

export interface TestEdge {
  readonly pool: Pool
  /** URL of the owner's login. The bindings have the reader's. */
  readonly database_url: string
  readonly store: ObjectStore
  readonly bindings: Readonly<Record<string, string>>
  readonly stopGateway: () => Promise<void>
  /** Only with `own_store`; other tests use the shared store. */
  readonly stopStore: () => Promise<void>
}

export async function startEdge(options: { own_store?: true } = {}): Promise<TestEdge> {
  const { pool, url: database_url, reader_url } = await createReaderDatabase()
  const gateway = await startTestGateway(reader_url)
  const { config, stopStore } = options.own_store ? await startStore() : sharedStore()
  const store = createObjectStore(config)
  const stopGateway = once(() => gateway.stop())
  atFileEnd(async () => {
    store.close()
    await stopGateway()
  })
  const bindings = bindingsOf(reader_url, gateway.url, config)
  return { pool, database_url, store, bindings, stopGateway, stopStore }
}

type TestStore = Pick<TestEdge, 'stopStore'> & { readonly config: ObjectStoreConfig }

function sharedStore(): TestStore {
  return {
    config: takeBucket(),
    stopStore: () => Promise.reject(new Error('Call startEdge with own_store.')),
  }
}

async function startStore(): Promise<TestStore> {
  const dir = await mkdtemp(join(tmpdir(), 'booktape-edge-'))
  const server = await startObjectStore({
    dir,
    port: 0,
    access_key_id: 'key',
    secret_access_key: 'secret',
  })
  const stopStore = once(() => server.stop())
  atFileEnd(async () => {
    await stopStore()
    await rm(dir, { recursive: true })
  })
  return { config: server.config, stopStore }
}

function once(stop: () => Promise<void>): () => Promise<void> {
  let stopped: Promise<void> | undefined
  return () => (stopped ??= stop())
}

export function bindingsOf(
  reader_url: string,
  gateway_url: string,
  store: ObjectStoreConfig,
): Record<string, string> {
  return {
    DATABASE_URL: reader_url,
    GATEWAY_URL: gateway_url,
    GATEWAY_SECRET: SECRET,
    S3_ENDPOINT: store.endpoint,
    S3_BUCKET: store.bucket,
    S3_REGION: store.region,
    S3_ACCESS_KEY_ID: store.access_key_id,
    S3_SECRET_ACCESS_KEY: store.secret_access_key,
    SIGNED_URL_TTL_S: '600',
    TOKEN_SECRET,
    PUBLIC_READ: 'read,datasets,ops',
  }
}

export async function addSymbol(
  pool: Pool,
  symbol: string,
  exchange = 'binance-futures',
): Promise<number> {
  const { rows } = await pool.query<{ id: string }>(
    `insert into marketdata.symbols
       (exchange, symbol, instrument_type, base_asset, quote_asset, tick_size, step_size)
     values ($1, $2, 'perp', 'BTC', 'USDT', 0.01, 0.001) returning id`,
    [exchange, symbol],
  )
  return Number(rows[0]!.id)
}

/** [time, update_id, best_bid, best_ask, bid_qty, ask_qty] */
export type QuoteInput = readonly [string, number, number, number, number, number]

export async function addQuotes(
  pool: Pool,
  symbol_id: number,
  quotes: readonly QuoteInput[],
): Promise<void> {
  for (const [ts, ...rest] of quotes) {
    await pool.query("select marketdata.ensure_hour('book_ticker', $1)", [ts])
    await pool.query(
      `insert into marketdata.book_ticker
         (symbol_id, ts_exchange, ts_ingest, update_id, best_bid, best_ask, bid_qty, ask_qty)
       values ($1, $2::timestamptz, $2::timestamptz + interval '1500 microseconds', $3, $4, $5, $6, $7)`,
      [symbol_id, ts, ...rest],
    )
  }
}

/** [time, agg_trade_id, price, qty] */
export type TradeInput = readonly [string, number, number, number]

export async function addTrades(
  pool: Pool,
  symbol_id: number,
  trades: readonly TradeInput[],
): Promise<void> {
  for (const [ts, ...rest] of trades) {
    await pool.query("select marketdata.ensure_hour('trades', $1)", [ts])
    await pool.query(
      `insert into marketdata.trades
         (symbol_id, ts_exchange, ts_ingest, agg_trade_id, price, qty, is_buyer_maker)
       values ($1, $2, $2, $3, $4, $5, true)`,
      [symbol_id, ts, ...rest],
    )
  }
}

/** A stored report of the job validation. Without findings unless named. */
export async function addReport(
  pool: Pool,
  checked_at: string,
  findings: Report['findings'] = [],
): Promise<Report> {
  const looked_at = Object.fromEntries(CHECKS.map((check) => [check, '3 streams']))
  const report: Report = {
    checked_at,
    looked_at: { ...(looked_at as Report['looked_at']), datasets: null },
    row_count: 1_000,
    findings,
  }
  await pool.query(
    `insert into marketdata.validation_reports (checked_at, finding_count, report)
     values ($1, $2, $3)`,
    [checked_at, findings.length, JSON.stringify(report)],
  )
  return report
}

export function sha256(bytes: Uint8Array): string {
  return createHash('sha256').update(bytes).digest('hex')
}

export interface PublishOptions {
  readonly schema_version?: number
  readonly complete?: boolean
  readonly bytes?: Uint8Array
}

/** Publishes a date like the jobs: first the files, then the manifest. */
export async function publish(
  store: ObjectStore,
  name: string,
  date: string,
  options: PublishOptions = {},
): Promise<Manifest> {
  const { schema_version = 1, complete = true, bytes = randomBytes(4_000) } = options
  const day = parseDay(date)!
  const build = sha256(bytes).slice(0, 16)
  const type = 'application/octet-stream'
  const files: DatasetFile[] = []
  for (const format of ['parquet', 'arrow'] as const) {
    const file = `${name}.${format}`
    const key = datasetFileKey({ dataset: name, schema_version, build }, day, file)
    await store.put(key, bytes, type)
    files.push({
      name: file,
      format,
      bytes: bytes.byteLength,
      sha256: sha256(bytes),
      row_count: 86_400,
    })
  }
  const manifest: Manifest = {
    dataset: name,
    schema_version,
    date,
    build,
    complete,
    row_count: 86_400,
    columns: [
      {
        name: 'ofi',
        type: 'float64',
        unit: 'base asset',
        description: 'order flow imbalance',
        formula: 'sum e_n',
        source: 'arXiv 1011.6402',
        null_rule: 'never',
      },
    ],
    files,
    coverage: [
      {
        exchange: 'binance-futures',
        symbol: 'BTCUSDT',
        from_ts: `${date}T00:00:00.000000Z`,
        to_ts: `${date}T23:59:59.000000Z`,
        row_count: 86_400,
        present_s: 86_000,
        missing_s: 400,
        quote_count: 66_089,
        trade_count: 21_313,
        gap_count: 1,
        gaps: [
          {
            channel: 'book_ticker',
            from_ts: `${date}T10:00:00.000000Z`,
            to_ts: `${date}T10:06:40.000000Z`,
            cause: 'disconnect',
            repaired: false,
          },
        ],
      },
    ],
  }
  await store.put(manifestKey(name, schema_version, day), JSON.stringify(manifest), type)
  return manifest
}

export async function setLatest(
  store: ObjectStore,
  { dataset, schema_version, date, complete }: Manifest,
): Promise<void> {
  const latest = { dataset, schema_version, date, complete }
  await store.put(latestKey(dataset), JSON.stringify(latest), 'application/json')
}
