/** Generates a day as archive files: every hour of every table, with one random walk per symbol. */
import { createReadStream } from 'node:fs'
import { rm } from 'node:fs/promises'
import { join } from 'node:path'
import type { ObjectStore } from '#core/node/object-store.ts'
import type { Pool } from '#core/node/pool.ts'
import { archiveKey } from '#core/object-keys.ts'
import { RAW_TABLES, type RawChannel } from '#core/tables.ts'
import { dayRange, HOUR_US, micros, SECOND_US, toIso, type Day } from '#core/time.ts'
import { dataColumns, type ColumnData, type SymbolRows } from '../../jobs/columns/columns.ts'
import { digestOf } from '../../jobs/columns/digest.ts'
import { createTableFile } from '../../jobs/parquet/table-file.ts'

export interface GenerateOptions {
  readonly pool: Pool
  readonly store: ObjectStore
  readonly dir: string
  readonly date: Day
  readonly symbol_count: number
  /** Events per second, over all symbols. */
  readonly rate: number
  readonly hour_count: number
}

const EXCHANGE = 'binance-futures'
const SHARES = { book_ticker: 0.7, trades: 0.1, depth_events: 0.2 } as const
type Made = keyof typeof SHARES
const GROUP_ROWS_MAX = 131_072
/** A price is a whole number of ticks divided by this: the double nearest to the decimal. */
const TICKS_PER_UNIT = 10
const LEVELS = 20
/** Levels per side that a diff changes. */
const CHANGED = 4

export function symbolNames(count: number): readonly string[] {
  return Array.from({ length: count }, (_, i) => `SYM${String(i).padStart(4, '0')}USDT`)
}

export async function generateDay(
  options: GenerateOptions,
): Promise<{ readonly event_count: number; readonly byte_count: number }> {
  const { pool, symbol_count, hour_count, date } = options
  const symbols = symbolNames(symbol_count)
  await pool.query(
    'insert into marketdata.symbols (exchange, symbol) select $1, name from unnest($2::text[]) name',
    [EXCHANGE, symbols],
  )
  let [event_count, byte_count] = [0, 0]
  for (let hour = 0; hour < hour_count; hour++) {
    for (const table_name of Object.keys(SHARES) as Made[]) {
      const from = micros(dayRange(date).from + hour * HOUR_US)
      const made = await generateHour(options, symbols, table_name, from, hour)
      event_count += made.row_count
      byte_count += made.byte_count
    }
  }
  return { event_count, byte_count }
}

async function generateHour(
  { pool, store, dir, date, rate }: GenerateOptions,
  symbols: readonly string[],
  table_name: Made,
  from: number,
  hour: number,
): Promise<{ readonly row_count: number; readonly byte_count: number }> {
  const path = join(dir, 'hour.parquet')
  const table = RAW_TABLES[table_name]
  const facts = { exchange: EXCHANGE, table: table_name, hour: toIso(micros(from)) }
  const file = await createTableFile({
    path,
    table,
    codec: 'zstd',
    exchange: EXCHANGE,
    facts,
  })
  const per_symbol = Math.max(1, Math.floor((rate * SHARES[table_name] * 3_600) / symbols.length))
  for (const [place, symbol] of symbols.entries()) {
    const random = randomNumbers(place * 1_000 + hour)
    for (let first = 0; first < per_symbol; first += GROUP_ROWS_MAX) {
      const row_count = Math.min(GROUP_ROWS_MAX, per_symbol - first)
      const rows = rowsOf(table_name, { from, first, per_symbol, row_count, hour, random })
      await file.writeGroup(symbol, rows, { from: 0, to: row_count })
    }
  }
  await file.finish()
  await file.close()
  const { bytes, sha256 } = await digestOf(createReadStream(path))
  const key = archiveKey(table_name, EXCHANGE, date, hour, 1)
  await store.putFile(key, path, 'application/vnd.apache.parquet')
  await rm(path)
  const row_count = per_symbol * symbols.length
  await pool.query(
    `insert into marketdata.archive (exchange, table_name, hour, version, object_key, row_count,
       byte_count, sha256, checksums, min_ts_exchange, max_ts_exchange, archived_at, table_row_count)
     values ($1, $2, $3, 1, $4, $5, $6, $7, '{}', $3, $3, now(), 0)`,
    [EXCHANGE, table_name, toIso(micros(from)), key, row_count, bytes, sha256],
  )
  return { row_count, byte_count: bytes }
}

interface Slice {
  readonly from: number
  /** Number of the first row of the hour. */
  readonly first: number
  readonly per_symbol: number
  readonly row_count: number
  readonly hour: number
  readonly random: () => number
}

function rowsOf(table_name: RawChannel, slice: Slice): SymbolRows {
  const { from, first, per_symbol, row_count, hour, random } = slice
  const step_us = (3_600 * SECOND_US) / per_symbol
  const columns = new Map<string, ColumnData>()
  const fill = (name: string, value: (row: number) => number): void => {
    const values = Float64Array.from({ length: row_count }, (_, row) => value(row))
    columns.set(name, { kind: 'numbers', values, nulls: undefined })
  }
  const id = (row: number): number => hour * 100_000_000 + first + row + 1
  const ts = (row: number): number => Math.floor(from + (first + row + 0.5) * step_us)
  const walk = Int32Array.from({ length: row_count }, () => Math.floor(random() * 3) - 1)
  let place = 10_000
  const ticks = Float64Array.from(walk, (step) => (place += step))
  const price = ticks.map((tick) => tick / TICKS_PER_UNIT)
  const ask = ticks.map((tick) => (tick + 1) / TICKS_PER_UNIT)
  const qty = (): number => Math.ceil(random() * 5_000) / 1_000
  fill('ts_exchange', ts)
  fill('ts_ingest', (row) => ts(row) + 1_500 + Math.floor(random() * 800))
  fill('update_id', id)
  fill('agg_trade_id', id)
  fill('final_update_id', id)
  fill('first_update_id', id)
  fill('prev_final_update_id', (row) => id(row) - 1)
  fill('best_bid', (row) => price[row]!)
  fill('best_ask', (row) => ask[row]!)
  fill('price', (row) => price[row]!)
  for (const name of ['bid_qty', 'ask_qty', 'qty']) fill(name, qty)
  columns.set('is_buyer_maker', {
    kind: 'flags',
    values: Uint8Array.from({ length: row_count }, () => (random() < 0.5 ? 1 : 0)),
  })
  if (table_name === 'depth_events') {
    const codes = Uint8Array.from({ length: row_count }, (_, row) => (first + row === 0 ? 1 : 0))
    columns.set('depth_kind', { kind: 'texts', words: ['diff', 'snapshot'], codes })
    columns.set('bids', levelsOf(codes, -1, random))
    columns.set('asks', levelsOf(codes, 1, random))
  }
  const nothing: ColumnData = {
    kind: 'numbers',
    values: new Float64Array(row_count),
    nulls: new Uint8Array(row_count).fill(1),
  }
  return {
    row_count,
    columns: dataColumns(RAW_TABLES[table_name]).map(({ name }) => columns.get(name) ?? nothing),
  }
}

/** A snapshot has all levels; a diff changes some of them. */
function levelsOf(codes: Uint8Array, side: 1 | -1, random: () => number): ColumnData {
  const ends = new Uint32Array(codes.length)
  let end = 0
  for (const [row, code] of codes.entries()) ends[row] = end += code === 1 ? LEVELS : CHANGED
  const [price, qty] = [new Float64Array(end), new Float64Array(end)]
  let at = 0
  for (const code of codes) {
    const count = code === 1 ? LEVELS : CHANGED
    const start = code === 1 ? 0 : Math.floor(random() * (LEVELS - CHANGED))
    for (let k = 0; k < count; k++, at++) {
      const level = side === 1 ? start + k + 1 : LEVELS - start - k
      price[at] = (10_000 + (side === 1 ? level : -level)) / TICKS_PER_UNIT
      qty[at] = Math.ceil(random() * 5_000) / 1_000
    }
  }
  return { kind: 'levels', ends, price, qty }
}

/** mulberry32 */
function randomNumbers(seed: number): () => number {
  let state = seed >>> 0
  return () => {
    state = (state + 0x6d2b79f5) >>> 0
    let word = Math.imul(state ^ (state >>> 15), 1 | state)
    word = (word + Math.imul(word ^ (word >>> 7), 61 | word)) ^ word
    return ((word ^ (word >>> 14)) >>> 0) / 4_294_967_296
  }
}
