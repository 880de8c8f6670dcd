/**
 * Measures rows per second from a tape into Postgres, compared to the upper bound: raw binary COPY
 * of the same pre-encoded rows into the same partitioned table. One run, alternating rounds,
 * medians.
 *
 *   node bench/writer.ts [--rows 400000] [--symbols 200] [--rounds 3]
 */
import { chmodSync, mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { parseArgs } from 'node:util'
import { silentLogger } from '#core/node/log.ts'
import { migrate } from '#core/node/migrate.ts'
import { createPool, inTransaction } from '#core/node/pool.ts'
import { RAW_TABLES } from '#core/tables.ts'
import { micros } from '#core/time.ts'
import { freePort } from '../infra/local/ports.ts'
import { startPostgres } from '../infra/local/postgres.ts'
import { openTape } from '../ingestor/tape/writer.ts'
import { copyInto } from '../ingestor/writer/copy.ts'
import type { CopyRows } from '../ingestor/writer/copy-encoder.ts'
import { BULK_LIMITS, followToEnd } from '../ingestor/writer/follow-to-end.ts'
import { joinRows, RowBuffer } from '../ingestor/writer/row-buffer.ts'

const { values } = parseArgs({
  options: {
    rows: { type: 'string', default: '400000' },
    symbols: { type: 'string', default: '200' },
    rounds: { type: 'string', default: '3' },
  },
})
const row_count = Number(values.rows)
const symbol_count = Number(values.symbols)
/** All within one hour: 12:00 of a day in 2026. */
const START_MS = Date.UTC(2026, 2, 1, 12)

const dir = mkdtempSync(join(tmpdir(), 'booktape-bench-'))
chmodSync(dir, 0o755)
const postgres = await startPostgres({
  dir: join(dir, 'postgres'),
  port: await freePort(),
  password: 'bench',
  settings: { max_wal_size: '4GB' },
})
const pool = createPool(postgres.url, 'bench')
try {
  await migrate(pool)
  await pool.query("select marketdata.ensure_hour('book_ticker', $1)", [
    new Date(START_MS).toISOString(),
  ])
  const tape_bytes = await writeTape()
  const prepared = encodeBatches()
  const raw: number[] = []
  const writer: number[] = []
  for (let round = 0; round < Number(values.rounds); round++) {
    raw.push(await measure(() => copyRaw(prepared)))
    writer.push(await measure(() => followTape(`round-${round}`)))
  }
  const report = {
    rows: row_count,
    symbols: symbol_count,
    tape_bytes_per_row: Math.round(tape_bytes / row_count),
    raw_copy_rows_per_s: median(raw),
    writer_rows_per_s: median(writer),
    ratio: Number((median(writer) / median(raw)).toFixed(2)),
  }
  process.stdout.write(`${JSON.stringify(report)}\n`)
} finally {
  await pool.end()
  await postgres.stop()
  rmSync(dir, { recursive: true, force: true })
}

async function measure(run: () => Promise<void>): Promise<number> {
  await pool.query('truncate marketdata.book_ticker')
  await pool.query('checkpoint')
  const started = performance.now()
  await run()
  const rows_per_s = Math.round(row_count / ((performance.now() - started) / 1_000))
  const { rows } = await pool.query<{ count: number }>(
    'select count(*)::int from marketdata.book_ticker',
  )
  if (rows[0]?.count !== row_count)
    throw new Error(`The table has ${rows[0]?.count} of ${row_count} rows.`)
  return rows_per_s
}

/** The rate of a program without tape, parser or checks. */
async function copyRaw(prepared: readonly CopyRows[]): Promise<void> {
  for (const rows of prepared) {
    await inTransaction(pool, async (client) => {
      await client.query('set local synchronous_commit = off')
      await copyInto(client, 'marketdata.book_ticker', rows)
    })
  }
}

async function followTape(ingestor_id: string): Promise<void> {
  await followToEnd({
    database_url: postgres.url,
    ingestor_id,
    tape_dir: join(dir, 'tape'),
    choice: { channels: ['book_ticker'], trade_stream: 'aggTrade' },
    dead_letter_path: join(dir, 'dead.ndjson'),
    log: silentLogger,
  })
}

interface Quote {
  readonly symbol: number
  readonly T: number
  readonly u: number
  readonly b: string
  readonly a: string
}

function quoteAt(index: number): Quote {
  const price = 100 + (index % 977) / 100
  const T = START_MS + Math.floor(index / 10)
  return {
    symbol: index % symbol_count,
    T,
    u: 10_000_000 + index,
    b: price.toFixed(2),
    a: (price + 0.01).toFixed(2),
  }
}

/** Batches of the writer's size, in primary-key order. */
function encodeBatches(): readonly CopyRows[] {
  return Array.from({ length: Math.ceil(row_count / BULK_LIMITS.rows_max) }, (_, batch) => {
    const first = batch * BULK_LIMITS.rows_max
    const groups = Array.from({ length: symbol_count }, (_none, symbol) => ({
      symbol_id: 1_000 + symbol,
      rows: new RowBuffer(RAW_TABLES.book_ticker),
    }))
    for (let index = first; index < Math.min(row_count, first + BULK_LIMITS.rows_max); index++) {
      const { symbol, T, u, b, a } = quoteAt(index)
      groups[symbol]!.rows.push({
        kind: 'book_ticker',
        exchange: 'binance-futures',
        symbol: `S${symbol}USDT`,
        ts_exchange: micros(T * 1_000),
        ts_ingest: micros(T * 1_000 + 321),
        update_id: u,
        best_bid: Number(b),
        best_ask: Number(a),
        bid_qty: 1.5,
        ask_qty: 2.25,
      })
    }
    return joinRows(RAW_TABLES.book_ticker, groups)
  })
}

async function writeTape(): Promise<number> {
  const tape = openTape({
    dir: join(dir, 'tape'),
    max_bytes: 16 * 1024 ** 3,
    segment_bytes: 64 * 1024 ** 2,
    record_bytes_max: 1024 ** 2,
    keep_s: 600,
    log: silentLogger,
  })
  for (let index = 0; index < row_count; index++) {
    const { symbol, T, u, b, a } = quoteAt(index)
    const frame = `{"stream":"s${symbol}usdt@bookTicker","data":{"e":"bookTicker","u":${u},"s":"S${symbol}USDT","b":"${b}","B":"1.500","a":"${a}","A":"2.250","T":${T},"E":${T + 1}}}`
    tape.append('frame', 1, 1, micros(T * 1_000 + 321), Buffer.from(frame))
  }
  tape.flush()
  const tape_bytes = tape.end
  await tape.close()
  return tape_bytes
}

function median(numbers: readonly number[]): number {
  return numbers.toSorted((left, right) => left - right)[Math.floor(numbers.length / 2)] ?? 0
}
