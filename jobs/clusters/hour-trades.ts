/**
 * The trades of one symbol in a part of one hour: from Postgres, from the archive, or merged from
 * both, in the order of (ts_exchange, agg_trade_id). After an hour was dropped, late trades are in
 * Postgres first and in a new version of the file later; until then both are needed.
 */
import type { ArchivedHour } from '#core/archive.ts'
import type { Client } from '#core/node/pool.ts'
import type { Exchange } from '#core/symbols.ts'
import { hourStart, type Micros } from '#core/time.ts'
import type { ArchiveReader } from '../archive/read.ts'
import { selectNewest } from '../archive/records.ts'
import type { RowChunk } from '../columns/row-chunk.ts'
import { postgresPart } from '../day/postgres-part.ts'

/** One array per column, all of one length. */
export interface TradeRows {
  readonly ts_exchange: number[]
  readonly agg_trade_id: number[]
  readonly price: number[]
  readonly qty: number[]
  /** 1: the taker sold. */
  readonly is_buyer_maker: number[]
}

export interface HourPart {
  readonly symbol_id: number
  readonly symbol: string
  readonly exchange: Exchange
  /** [from, to) within one hour. */
  readonly from: Micros
  readonly to: Micros
}

const NUMBERS = ['ts_exchange', 'agg_trade_id', 'price', 'qty'] as const
const COLUMNS = [...NUMBERS, 'is_buyer_maker']

/** The file that has the hour's trades, if Postgres no longer has all of them. */
export async function findFile(client: Client, part: HourPart): Promise<ArchivedHour | undefined> {
  const table_hour = { table_name: 'trades', hour: hourStart(part.from) } as const
  const record = (await selectNewest(client, table_hour)).get(part.exchange)
  return record?.is_dropped === true ? record : undefined
}

/** Those that Postgres has. In a transaction. */
export function readStored(client: Client, part: HourPart): Promise<TradeRows> {
  return collect(postgresPart(client, part.exchange, 'trades', part).rows(part, COLUMNS), part)
}

export function readFile(
  archive: ArchiveReader,
  file: ArchivedHour,
  part: HourPart,
): Promise<TradeRows> {
  const { symbol, from, to } = part
  return collect(archive.readSymbolHour(file, { symbol, columns: COLUMNS, from, to }), part)
}

async function collect(
  chunks: AsyncIterable<RowChunk>,
  { from, to }: HourPart,
): Promise<TradeRows> {
  const rows = noTrades()
  for await (const chunk of chunks) {
    const ts = chunk.numbers('ts_exchange')
    const columns = NUMBERS.map((name) => [rows[name], chunk.numbers(name)] as const)
    const flags = chunk.flags('is_buyer_maker')
    for (let row = 0; row < chunk.row_count; row++) {
      if (ts[row]! < from || ts[row]! >= to) continue
      for (const [target, values] of columns) target.push(values[row]!)
      rows.is_buyer_maker.push(flags[row]!)
    }
  }
  return rows
}

/** Both are in order; a trade that is in both counts once. */
export function mergeTrades(a: TradeRows, b: TradeRows): TradeRows {
  if (a.price.length === 0) return b
  if (b.price.length === 0) return a
  const merged = noTrades()
  let [i, j] = [0, 0]
  while (i < a.price.length || j < b.price.length) {
    const order = i === a.price.length ? 1 : j === b.price.length ? -1 : compareAt(a, i, b, j)
    if (order <= 0) addRow(merged, a, i)
    else addRow(merged, b, j)
    if (order <= 0) i++
    if (order >= 0) j++
  }
  return merged
}

function noTrades(): TradeRows {
  return { ts_exchange: [], agg_trade_id: [], price: [], qty: [], is_buyer_maker: [] }
}

function compareAt(a: TradeRows, i: number, b: TradeRows, j: number): number {
  return a.ts_exchange[i]! - b.ts_exchange[j]! || a.agg_trade_id[i]! - b.agg_trade_id[j]!
}

function addRow(target: TradeRows, source: TradeRows, row: number): void {
  for (const name of [...NUMBERS, 'is_buyer_maker'] as const) target[name].push(source[name][row]!)
}
