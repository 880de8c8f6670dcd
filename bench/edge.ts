/**
 * Measures the edge in one run on one machine, with the worker in a workerd of its own. The callers
 * are another process, with 1, 16 and 64 connections; each figure is the median of the rounds.
 *
 *   a handler that does nothing, the same with the headers and body of the cached read, a cached
 *   read, a handler that only fetches from a gateway that does nothing, the newest quote (each
 *   symbol once, and as questions that nobody asked before, both once other questions have compiled
 *   the worker's code), and that quote's SELECT over pg, the same as a statement through the
 *   gateway, and the gateway's own answer with the quote: requests/s, p50, p99, and the CPU that
 *   workerd (of the last one: the gateway) spends on a request; then cold reads of symbol-hours
 *   from the archive, with their range requests and bytes, and the first request of an isolate.
 *
 *   npm run bench:edge [-- --quick]
 *   npm run bench:edge -- --soak 600    only the memory of workerd, under load for these seconds
 */
import { chmodSync, mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { setTimeout as sleep } from 'node:timers/promises'
import { parseArgs } from 'node:util'
import { silentLogger } from '#core/node/log.ts'
import { createObjectStore } from '#core/node/object-store.ts'
import { createPool, type Pool } from '#core/node/pool.ts'
import { HOUR_US, fromMillis, hourStart, micros, toIso } from '#core/time.ts'
import { parseConfig } from '../edge-api/gateway/config.ts'
import { startGateway } from '../edge-api/gateway/server.ts'
import { createDatabase } from '../edge-api/queries/database.ts'
import { selectLatestQuote } from '../edge-api/queries/latest-quote.ts'
import { prepareDatabase } from '../infra/local/database.ts'
import { startObjectStore } from '../infra/local/object-store.ts'
import { freePort } from '../infra/local/ports.ts'
import { POSTGRES_SETTINGS, startPostgres } from '../infra/local/postgres.ts'
import { buildWorker } from '../infra/local/worker.ts'
import { startWorkerd } from '../infra/local/workerd/start.ts'
import { runArchive } from '../jobs/archive/run-archive.ts'
import { startCountingProxy } from './edge/counting-proxy.ts'
import { cpuMs, load, rssBytes, type Load } from './edge/load.ts'
import type { LoadOrder } from './edge/load-client.ts'
import { measure } from './edge/measure.ts'
import { startNoOp, startNoOpGateway, type NoOpAnswer } from './edge/no-op.ts'
import { quantile } from './quantile.ts'

const { values } = parseArgs({
  options: { quick: { type: 'boolean', default: false }, soak: { type: 'string' } },
})
const DURATION_MS = values.quick ? 400 : 2_000
/** Longer than max-age and stale-while-revalidate of a newest quote. */
const FRESH_MS = 3_200
const ROUNDS = values.quick ? 1 : 3
const CALLERS = [1, 16, 64]
const SOAK_STEP_MS = 20_000
/**
 * Rounds of new questions of each symbol. All of them take longer than a question is remembered.
 */
const SOAK_QUESTIONS = 200
const SYMBOL_COUNT = values.quick ? 60 : 100
const HOT_HOURS = 48
/** Of the archived hour. */
const QUOTES_PER_SYMBOL = values.quick ? 8_000 : 5_000
const QUESTIONS_PER_SYMBOL = values.quick ? 5 : 30
/** As large as the gateway's answer with a quote. */
const GATEWAY_ANSWER = { quote: 'x'.repeat(310) }
const SECRET = 'a secret of the benchmark, and of no other'
/** Of the questions that warmed the worker up. */
let asked_count = 0

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
const bundle = await buildWorker(join(dir, 'bundle'))
const worker = await startWorkerd({
  port: 0,
  bundle,
  dir: join(dir, 'worker'),
  revoked_file: join(dir, 'revoked-tokens'),
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
const CACHED = '/prices/tickers'
const first_cpu_ms = await firstRequest()
const no_op = await startNoOp(join(dir, 'no-op'), { headers: [], body: 'ok' })
const same = await startNoOp(join(dir, 'same'), await answerOf(worker.url + CACHED))
const no_op_gateway = await startNoOpGateway(JSON.stringify(GATEWAY_ANSWER))
const fetching = await startNoOp(
  join(dir, 'fetching'),
  await answerOf(worker.url + CACHED),
  no_op_gateway.url,
)
const select = {
  query: async <Row>(text: string, parameters: readonly unknown[]) =>
    (await pool.query(text, [...parameters])).rows as readonly Row[],
}
const through_gateway = createDatabase({
  database_url: urls.edge_url,
  gateway_url: gateway.url,
  gateway_secret: SECRET,
})
try {
  const file_bytes = await fill(pool)
  if (values.soak === undefined) await compare(file_bytes)
  else await soak(Number(values.soak))
} finally {
  await no_op.stop()
  await same.stop()
  await fetching.stop()
  no_op_gateway.stop()
  await worker.stop()
  await gateway.stop()
  proxy.stop()
  store.close()
  await server.stop()
  await pool.end()
  await postgres.stop()
  rmSync(dir, { recursive: true, force: true })
}

async function compare(file_bytes: number): Promise<void> {
  // Queries differ, so that no caller gets a cached response of another.
  const first_paths = latestPaths(1)
  const new_paths = latestPaths(QUESTIONS_PER_SYMBOL)
  process.stdout.write(`bundle: ${(bundle.gzip_bytes / 1_024).toFixed(0)} KiB gzip\n`)
  process.stdout.write(`first request of an isolate: ${first_cpu_ms.toFixed(0)} ms of CPU\n\n`)
  line('', 'callers', 'requests/s', 'p50 ms', 'p99 ms', 'CPU ms', 'x no-op', 'x fetching')
  for (const callers of CALLERS) {
    await row('no-op', no_op, ['/'], callers)
    const limit = await row('no-op, same headers and body', same, ['/'], callers)
    await row(`cached read (${CACHED})`, worker, [CACHED], callers, limit)
    const floor = await row('no-op that fetches from a no-op', fetching, ['/'], callers, limit)
    await row(`newest quote of ${SYMBOL_COUNT} symbols`, worker, first_paths, callers, limit, floor)
    await row('newest quote that misses the cache', worker, new_paths, callers, limit, floor)
    await hops(callers)
  }
  await cold(file_bytes)
}

/** Resident memory of workerd while 64 callers read what is cached and what is not. */
async function soak(seconds: number): Promise<void> {
  const popular = [CACHED, ...latestPaths(1), '/v1/quotes/latest', '/v1/trades/SYM1USDT']
  const paths = Array.from({ length: SOAK_QUESTIONS }, (_, i) => [
    ...popular,
    ...latestPaths(2, 30_000 + 2 * i),
  ]).flat()
  const port = Number(new URL(worker.url).port)
  const until = performance.now() + seconds * 1_000
  line('', 'requests/s', 'p99 ms', '503', 'RSS MiB')
  while (performance.now() < until) {
    // On a busy machine Postgres may not answer in time.
    const ends_after = { duration_ms: SOAK_STEP_MS }
    const order = { port, paths, callers: 64, may_be_busy: true, ends_after }
    const { count, elapsed_s, p99_ms, busy_count } = await load(worker.pid, order)
    const rss_mib = (rssBytes(worker.pid) / 2 ** 20).toFixed(0)
    const per_s = (count / elapsed_s).toFixed(0)
    line(new Date().toISOString(), per_s, p99_ms.toFixed(1), busy_count, rss_mib)
  }
}

/** The newest quote of every symbol, as so many questions each, numbered from `first`. */
function latestPaths(count: number, first = 60_000): readonly string[] {
  return Array.from({ length: count * SYMBOL_COUNT }, (_, i) => {
    const symbol = `SYM${1 + (i % SYMBOL_COUNT)}USDT`
    const round = Math.floor(i / SYMBOL_COUNT)
    return `/v1/quotes/${symbol}/latest${count === 1 ? '' : `?max_age_s=${first + round}`}`
  })
}

function questionsNobodyAsked(): readonly string[] {
  const count = values.quick ? 5 : 20
  asked_count += count
  return latestPaths(count, 30_000 + asked_count)
}

/**
 * The parts of a newest quote: its SELECT over pg, the same through the gateway, its answer there.
 */
async function hops(callers: number): Promise<void> {
  let question = 0
  for (const [title, db] of [
    ['  its SELECT over pg', select],
    ['  its SELECT through the gateway', through_gateway],
  ] as const) {
    const { per_s, p50_ms, p99_ms } = await measure(callers, DURATION_MS, () =>
      selectLatestQuote(db, 1 + (question++ % SYMBOL_COUNT), fromMillis(Date.now())),
    )
    line(title, callers, per_s.toFixed(0), p50_ms.toFixed(2), p99_ms.toFixed(2))
  }
  const paths = Array.from(
    { length: SYMBOL_COUNT },
    (_, i) =>
      `/newest-quote?symbol_id=${i + 1}&exchange=binance-futures&symbol=SYM${i + 1}USDT` +
      '&price_decimals=1&qty_decimals=3',
  )
  const own = await load(process.pid, {
    port: Number(new URL(gateway.url).port),
    paths,
    callers,
    headers: { authorization: `Bearer ${SECRET}` },
    ends_after: { duration_ms: DURATION_MS },
  })
  printLoad('  its answer by the gateway', callers, own)
}

function printLoad(title: string, callers: number, measured: Load, ...times: string[]): void {
  const { count, elapsed_s, p50_ms, p99_ms, cpu_ms } = measured
  const [per_s, cpu] = [(count / elapsed_s).toFixed(0), cpu_ms.toFixed(3)]
  line(title, callers, per_s, p50_ms.toFixed(2), p99_ms.toFixed(2), cpu, ...times)
}

/** Writes current quotes, and an hour that is archived and dropped. Returns its file's bytes. */
async function fill(target: Pool): Promise<number> {
  await target.query(
    `insert into marketdata.symbols (exchange, symbol, tick_size, step_size)
     select 'binance-futures', 'SYM' || i || 'USDT', 0.1, 0.001 from generate_series(1, $1) i`,
    [SYMBOL_COUNT],
  )
  // Those of a recorder: the hours that are not dropped yet, and the next one.
  await target.query(
    `select marketdata.ensure_hour('book_ticker', now() + i * interval '1 hour')
     from generate_series(-$1::int, 1) i`,
    [HOT_HOURS],
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
         ticks / 10.0, (ticks + 1) / 10.0, bid_lots / 1000.0, ask_lots / 1000.0
       from generate_series(1, $1) s, generate_series(1, $2) n,
         -- Regular values would make a file of a byte a row.
         lateral (select $3::timestamptz + n * interval '100 milliseconds' as ts,
           600000 + floor(random() * 1000) as ticks, 1 + floor(random() * 9999) as bid_lots,
           1 + floor(random() * 9999) as ask_lots) t`,
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

/** `limit`, `floor`: what the figure of CPU is compared with. */
async function row(
  title: string,
  server_under_load: { readonly url: string; readonly pid: number },
  paths: readonly string[],
  callers: number,
  limit?: Load,
  floor?: Load,
): Promise<Load> {
  const { url, pid } = server_under_load
  const rounds: Load[] = []
  for (let round = 0; round < ROUNDS; round++) {
    // Newest quotes are fresh for a second, and none may come from the cache.
    if (paths.length > 1) await sleep(FRESH_MS)
    const port = Number(new URL(url).port)
    const order: LoadOrder =
      paths.length === 1
        ? { port, paths, callers, ends_after: { duration_ms: DURATION_MS } }
        : { port, paths, callers, ends_after: 'each path', warm_up: questionsNobodyAsked() }
    rounds.push(await load(pid, order))
  }
  const median = rounds.toSorted((a, b) => a.cpu_ms - b.cpu_ms)[Math.floor(ROUNDS / 2)]!
  const timesOf = (base: Load | undefined): string =>
    base === undefined ? '' : (median.cpu_ms / base.cpu_ms).toFixed(2)
  printLoad(title, callers, median, timesOf(limit), timesOf(floor))
  return median
}

function line(title: string, ...cells: readonly (string | number)[]): void {
  const columns = cells.map((cell) => String(cell).padStart(12))
  process.stdout.write(`${title.padEnd(34)}${columns.join('')}\n`)
}

/** Milliseconds of CPU until an isolate that has just started has answered. */
async function firstRequest(): Promise<number> {
  const before = cpuMs(worker.pid)
  await get(`${worker.url}/`)
  return cpuMs(worker.pid) - before
}

async function answerOf(url: string): Promise<NoOpAnswer> {
  const response = await fetch(url)
  const body = await response.text()
  const added = ['content-length', 'transfer-encoding', 'connection', 'date']
  return { headers: [...response.headers].filter(([name]) => !added.includes(name)), body }
}

async function get(url: string): Promise<void> {
  const response = await fetch(url)
  await response.arrayBuffer()
  if (response.status !== 200) throw new Error(`${url} answered ${response.status}.`)
}
