/**
 * Measures the edge in one run on one machine, with the worker in real workerd:
 *
 *   an empty handler, a cached read, the newest quote, and that quote's SELECT directly on Postgres
 *   with pg, each with 1, 16 and 64 callers; then cold reads of symbol-hours from the archive, with
 *   their range requests and bytes.
 *
 *   npm run bench:edge [-- --quick]
 */
import { chmodSync, mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { parseArgs } from 'node:util'
import { Miniflare } from 'miniflare'
import { silentLogger } from '#core/node/log.ts'
import { createObjectStore } from '#core/node/object-store.ts'
import { createPool, type Pool } from '#core/node/pool.ts'
import { HOUR_US, fromMillis, hourStart, micros, toIso } from '#core/time.ts'
import { parseConfig } from '../edge-api/gateway/config.ts'
import { startGateway } from '../edge-api/gateway/server.ts'
import { selectLatestQuote } from '../edge-api/queries/latest-quote.ts'
import { prepareDatabase } from '../infra/local/database.ts'
import { startObjectStore } from '../infra/local/object-store.ts'
import { freePort } from '../infra/local/ports.ts'
import { POSTGRES_SETTINGS, startPostgres } from '../infra/local/postgres.ts'
import { buildWorker, startWorker } from '../infra/local/worker.ts'
import { runArchive } from '../jobs/archive/run-archive.ts'
import { startCountingProxy } from './edge/counting-proxy.ts'
import { measure, quantile } from './edge/measure.ts'

const { values } = parseArgs({ options: { quick: { type: 'boolean', default: false } } })
const DURATION_MS = values.quick ? 400 : 2_000
const CALLERS = [1, 16, 64]
const SYMBOL_COUNT = values.quick ? 40 : 100
const QUOTES_PER_SYMBOL = 5_000
const SECRET = 'a secret of the benchmark, and of no other'

const now = fromMillis(Date.now())
const COLD_HOUR = micros(hourStart(now) - 2 * HOUR_US)
const dir = mkdtempSync(join(tmpdir(), 'booktape-bench-edge-'))
chmodSync(dir, 0o755)
const postgres = await startPostgres({
  dir: join(dir, 'postgres'),
  port: await freePort(),
  password: 'bench',
  settings: POSTGRES_SETTINGS,
})
const urls = await prepareDatabase(postgres.url, 'a-password-of-the-benchmark')
const pool = createPool(urls.owner_url, 'bench', 64)
const server = await startObjectStore({
  dir: join(dir, 'store'),
  port: 0,
  access_key_id: 'k',
  secret_access_key: 's',
})
const store = createObjectStore(server.config)
const proxy = await startCountingProxy(Number(new URL(server.config.endpoint).port))
const endpoint = new URL(server.config.endpoint)
endpoint.port = String(proxy.port)
const environment = { PORT: '0', DATABASE_URL: urls.edge_url, GATEWAY_SECRET: SECRET }
const gateway = await startGateway(parseConfig({ ...environment, POOL_MAX: '16' }), silentLogger)
const worker = await startWorker({
  port: 0,
  bundle: await buildWorker(join(dir, 'bundle')),
  persist_dir: join(dir, 'state'),
  bindings: {
    DATABASE_URL: urls.edge_url,
    GATEWAY_URL: gateway.url,
    GATEWAY_SECRET: SECRET,
    S3_ENDPOINT: endpoint.href,
    S3_BUCKET: server.config.bucket,
    S3_REGION: server.config.region,
    S3_ACCESS_KEY_ID: 'k',
    S3_SECRET_ACCESS_KEY: 's',
    TOKEN_SECRET: SECRET,
    PUBLIC_READ: 'true',
  },
})
const contents = 'export default { fetch: () => new Response("ok") }'
const idle = new Miniflare({
  host: '127.0.0.1',
  port: 0,
  cf: false,
  telemetry: { enabled: false },
  workers: [
    {
      config: {
        name: 'idle',
        compatibilityDate: '2026-10-20',
        env: {},
        manifest: {
          mainModule: 'idle.js',
          modulesRoot: dir,
          modules: { 'idle.js': { type: 'esm', contents } },
        },
      },
      dev: { rootPath: dir },
    },
  ],
})
try {
  const file_bytes = await fill(pool)
  const idle_url = (await idle.ready).href
  // Queries differ, so that no caller gets a cached response of another.
  let question = 0
  const latest = (): string => `/v1/quotes/SYM${1 + (question++ % SYMBOL_COUNT)}USDT/latest`
  const select = {
    query: async <Row>(text: string, parameters: readonly unknown[]) =>
      (await pool.query(text, [...parameters])).rows as readonly Row[],
  }
  line('', 'callers', 'requests/s', 'p50 ms', 'p99 ms')
  await row('no-op handler', () => get(idle_url))
  await row('cached read (/prices/tickers)', () => get(`${worker.url}/prices/tickers`))
  await row(`newest quote, one of ${SYMBOL_COUNT}`, () => get(worker.url + latest()))
  await row('the same SELECT over pg', () =>
    selectLatestQuote(select, 1 + (question++ % SYMBOL_COUNT), fromMillis(Date.now())),
  )
  await cold(file_bytes)
} finally {
  await idle.dispose()
  await worker.stop()
  await gateway.stop()
  proxy.stop()
  store.close()
  await server.stop()
  await pool.end()
  await postgres.stop()
  rmSync(dir, { recursive: true, force: true })
}

/** Writes current quotes, and an hour that is archived and dropped. Returns its file's bytes. */
async function fill(target: Pool): Promise<number> {
  await target.query(
    `insert into marketdata.symbols (exchange, symbol, tick_size, step_size)
     select 'binance-futures', 'SYM' || i || 'USDT', 0.1, 0.001 from generate_series(1, $1) i`,
    [SYMBOL_COUNT],
  )
  for (const [from, count] of [
    [COLD_HOUR, QUOTES_PER_SYMBOL],
    [micros(now - 1_000_000), 10],
  ] as const) {
    await target.query("select marketdata.ensure_hour('book_ticker', $1)", [toIso(from)])
    await target.query(
      `insert into marketdata.book_ticker
         (symbol_id, ts_exchange, ts_ingest, update_id, best_bid, best_ask, bid_qty, ask_qty)
       select s, ts, ts + interval '2 milliseconds', n,
         60000 + n % 100 / 10.0, 60000.1 + n % 100 / 10.0, n % 977 / 1000.0, n % 811 / 1000.0
       from generate_series(1, $1) s, generate_series(1, $2) n,
         lateral (select $3::timestamptz + n * interval '100 milliseconds' as ts) t`,
      [SYMBOL_COUNT, count, toIso(from)],
    )
  }
  const hours = [{ table_name: 'book_ticker', hour: COLD_HOUR }] as const
  const { byte_count } = await runArchive({
    pool,
    store,
    codec: 'zstd',
    work_dir: join(dir, 'work'),
    now: Date.now,
    log: silentLogger,
    hours,
  })
  const partition = `book_ticker_${toIso(COLD_HOUR).slice(0, 13).replaceAll(/[-T]/g, '')}`
  await target.query(`drop table marketdata.${partition}`)
  await target.query('update marketdata.archive set dropped_at = now()')
  await target.query('analyze')
  return byte_count
}

async function cold(file_bytes: number): Promise<void> {
  const waits: number[] = []
  const costs: { requests: number; bytes: number }[] = []
  const [from, to] = [toIso(COLD_HOUR), toIso(micros(COLD_HOUR + HOUR_US))]
  for (let n = 1; n <= SYMBOL_COUNT; n++) {
    const before = { ...proxy.counts }
    const at = performance.now()
    await get(
      `${worker.url}/v1/quotes/SYM${n}USDT?from=${from}&to=${to}&limit=${QUOTES_PER_SYMBOL}`,
    )
    waits.push(performance.now() - at)
    const { requests, bytes } = proxy.counts
    costs.push({ requests: requests - before.requests, bytes: bytes - before.bytes })
  }
  waits.sort((a, b) => a - b)
  const [first, ...others] = costs
  const share = (bytes: number): string => `${((100 * bytes) / file_bytes).toFixed(2)} %`
  const mean = others.reduce((sum, { bytes }) => sum + bytes, 0) / others.length
  const requests_max = Math.max(...others.map(({ requests }) => requests))
  process.stdout.write(
    `\ncold symbol-hour of ${QUOTES_PER_SYMBOL} quotes, file of ${file_bytes} bytes: ` +
      `p50 ${quantile(waits, 0.5).toFixed(1)} ms, p99 ${quantile(waits, 0.99).toFixed(1)} ms\n` +
      `  the first, footer included: ${first!.requests} requests, ${share(first!.bytes)} of the file\n` +
      `  the others: at most ${requests_max} requests, ${share(mean)} of the file on average\n`,
  )
}

async function row(title: string, call: () => Promise<unknown>): Promise<void> {
  for (const callers of CALLERS) {
    const { per_s, p50_ms, p99_ms } = await measure(callers, DURATION_MS, call)
    line(title, String(callers), per_s.toFixed(0), p50_ms.toFixed(2), p99_ms.toFixed(2))
  }
}

function line(title: string, ...cells: readonly string[]): void {
  process.stdout.write(`${title.padEnd(34)}${cells.map((cell) => cell.padStart(12)).join('')}\n`)
}

async function get(url: string): Promise<void> {
  const response = await fetch(url)
  await response.arrayBuffer()
  if (response.status !== 200) throw new Error(`${url} answered ${response.status}.`)
}
