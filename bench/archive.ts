/**
 * Measures time, file size and memory to archive an hour of quotes:
 * `node bench/archive.ts [--rows 2000000] [--symbols 200] [--codec zstd]`. The rows are copies of
 * the BTC recording in FEEDS_DIR, or generated without it; a symbol takes ten copies, which
 * are 660,000 rows. It also prints the baseline (a raw binary COPY of the same partition) and the
 * speed of reading the hour back symbol by symbol, with our reader and with DuckDB.
 */
import { fork } from 'node:child_process'
import { once } from 'node:events'
import { readFileSync } from 'node:fs'
import { writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { parseArgs } from 'node:util'
import { gunzipSync } from 'node:zlib'
import { DuckDBInstance } from '@duckdb/node-api'
import copyStreams from 'pg-copy-streams'
import { type Pool, withClient } from '#core/node/pool.ts'
import { hourStart, micros } from '#core/time.ts'
import { createArchiveReader } from '../jobs/archive/read.ts'
import { selectArchivedHours } from '../jobs/archive/records.ts'
import { CODECS } from '../jobs/parquet/codecs.ts'
import type { ArchiveFigures, ArchiveJob } from './archive/run.ts'
import { type Services, withServices } from './services.ts'

const HOUR = hourStart(micros(Date.parse('2024-08-08T13:00:00Z') * 1_000))
const PARTITION = 'marketdata.book_ticker_2024080813'

const { values } = parseArgs({
  options: {
    rows: { type: 'string', default: '2000000' },
    symbols: { type: 'string', default: '200' },
    codec: { type: 'string', default: 'zstd' },
  },
})
const wanted_rows = Number(values.rows)
const { FEEDS_DIR } = process.env
const symbol_count = Number(values.symbols)
const codec = CODECS.find((one) => one === values.codec) ?? 'zstd'

await withServices(
  async (services) => {
    const { pool } = services
    const row_count = await fill(pool)
    const copy_s = await seconds(() => copyOut(pool))
    const { elapsed_s, cpu_s, rss_peak_mb, byte_count } = await archive(services)
    print({
      row_count,
      symbol_count,
      raw_copy_row_per_s: row_count / copy_s,
      archive_row_per_s: row_count / elapsed_s,
      archive_row_per_cpu_s: row_count / cpu_s,
      byte_per_row: byte_count / row_count,
      rss_peak_mb,
      ...(await readBack(services, row_count)),
    })
  },
  { max_wal_size: '8GB', autovacuum: 'off' },
)

async function archive({ database_url, store_config, dir }: Services): Promise<ArchiveFigures> {
  const child = fork(fileURLToPath(new URL('archive/run.ts', import.meta.url)))
  const job: ArchiveJob = {
    database_url,
    store: store_config,
    work_dir: join(dir, 'work'),
    codec,
    table_name: 'book_ticker',
    hour: HOUR,
  }
  child.send(job)
  const [figures] = (await once(child, 'message')) as [ArchiveFigures]
  return figures
}

async function seconds(work: () => Promise<unknown>): Promise<number> {
  const started = performance.now()
  await work()
  return (performance.now() - started) / 1_000
}

/** A few minutes of one symbol. Times (in microseconds) and ids start at 0. */
interface BaseQuote {
  readonly ts: number
  readonly delay: number
  readonly id: number
  readonly bid: number
  readonly ask: number
  readonly bid_qty: number
  readonly ask_qty: number
}

function readBase(): readonly BaseQuote[] {
  if (FEEDS_DIR === undefined) return Array.from({ length: 60_000 }, (_, n) => madeUp(n))
  const path = join(FEEDS_DIR, 'binance-usdm-btcusdt-20240808', 'feed.ndjson.gz')
  const quotes: BaseQuote[] = []
  let first: { readonly ts: number; readonly id: number } | undefined
  for (const line of gunzipSync(readFileSync(path)).toString().split('\n')) {
    if (!line.includes('@bookTicker')) continue
    const { ts: received, data: text } = JSON.parse(line) as { ts: number; data: string }
    const { data } = JSON.parse(text) as { data: Record<string, string> & { T: number; u: number } }
    const ts = data.T * 1_000
    first ??= { ts, id: data.u }
    const [bid, ask] = [Number(data['b']), Number(data['a'])]
    const [bid_qty, ask_qty] = [Number(data['B']), Number(data['A'])]
    quotes.push({
      ts: ts - first.ts,
      delay: received - ts,
      id: data.u - first.id,
      bid,
      ask,
      bid_qty,
      ask_qty,
    })
  }
  return quotes
}

function madeUp(n: number): BaseQuote {
  const bid = Math.round((60_000 + 100 * Math.sin(n / 1_000)) * 10) / 10
  const bid_qty = ((n * 7_919) % 9_973) / 1_000
  const ask_qty = ((n * 104_729) % 8_171) / 1_000
  return {
    ts: n * 5_000,
    delay: 1_500 + (n % 877),
    id: n * 3,
    bid,
    ask: bid + 0.1,
    bid_qty,
    ask_qty,
  }
}

/** Copies of the base rows, distributed over the symbols, in time order as if live. */
async function fill(target: Pool): Promise<number> {
  const base = readBase()
  await target.query(
    `insert into marketdata.symbols (exchange, symbol)
     select 'binance-futures', 'SYM' || to_char(i, 'FM000') || 'USDT' from generate_series(1, $1) i`,
    [symbol_count],
  )
  await target.query("select marketdata.ensure_hour('book_ticker', $1)", [new Date(HOUR / 1_000)])
  await target.query(
    `create table base as select * from jsonb_to_recordset($1) as b (ts int8, delay int8, id int8,
       bid float8, ask float8, bid_qty float8, ask_qty float8)`,
    [JSON.stringify(base)],
  )
  const { rowCount } = await target.query(
    `insert into ${PARTITION}
       (ts_exchange, ts_ingest, symbol_id, update_id, best_bid, best_ask, bid_qty, ask_qty)
     select ts_exchange, ts_exchange + delay * interval '1 microsecond', 1 + copy % $2,
       7000000000000 + copy / $2 * 100000000000 + id, bid, ask, bid_qty, ask_qty
     from base, generate_series(0, $1::int - 1) copy, lateral (
       select $3::timestamptz + ts * interval '1 microsecond' + copy / $2 * interval '350 s' as ts_exchange
     ) x
     order by ts_exchange, copy, id`,
    [Math.round(wanted_rows / base.length), symbol_count, new Date(HOUR / 1_000)],
  )
  return rowCount ?? 0
}

async function copyOut(source: Pool): Promise<void> {
  await withClient(source, async (client) => {
    const stream = client.query(copyStreams.to(`copy ${PARTITION} to stdout (format binary)`))
    for await (const chunk of stream) void chunk
  })
}

async function readBack(
  { pool, store, dir }: Services,
  row_count: number,
): Promise<Record<string, number>> {
  const wanted = {
    exchange: 'binance-futures',
    table_name: 'book_ticker',
    from: HOUR,
    to: micros(HOUR + 1),
  } as const
  const [hour] = await selectArchivedHours(pool, wanted)
  const columns = ['ts_exchange', 'update_id', 'best_bid', 'best_ask', 'bid_qty', 'ask_qty']
  const reader = createArchiveReader(store)
  const symbols = await reader.symbols(hour!)
  const reader_s = await seconds(async () => {
    for (const { symbol } of symbols) {
      for await (const chunk of reader.readSymbolHour(hour!, { symbol, columns })) void chunk
    }
  })
  const path = join(dir, 'hour.parquet')
  await writeFile(path, (await store.get(hour!.object_key))!)
  const instance = await DuckDBInstance.create(':memory:', { threads: '1' })
  const connection = await instance.connect()
  const duckdb_s = await seconds(async () => {
    for (const { symbol } of symbols) {
      const result = await connection.stream(
        `select ${columns.join(', ')} from read_parquet('${path}') where symbol = '${symbol}'`,
      )
      for await (const chunk of result) columns.forEach((_, i) => chunk.getColumnValues(i))
    }
  })
  connection.closeSync()
  instance.closeSync()
  return { reader_row_per_s: row_count / reader_s, duckdb_row_per_s: row_count / duckdb_s }
}

function print(figures: Readonly<Record<string, number>>): void {
  for (const [name, value] of Object.entries(figures)) {
    process.stdout.write(
      `${name.padEnd(28)} ${Number.isInteger(value) ? value : value.toFixed(2)}\n`,
    )
  }
}
