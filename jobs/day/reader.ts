/** Reads a symbol's day from Postgres and the archive: its parts, one after another. */
import { SNAPSHOT_LATE_US } from '#core/book-replay.ts'
import type { Client } from '#core/node/pool.ts'
import type { Exchange } from '#core/symbols.ts'
import { DAY_US, dayRange, HOUR_US, type Micros, micros, type Day } from '#core/time.ts'
import type { ArchiveReader } from '../archive/read.ts'
import type { RowChunk } from '../columns/row-chunk.ts'
import { archivePart } from './archive-part.ts'
import { partsOf, type DayPlan } from './day-plan.ts'
import type { ArrivedDepthRow } from './depth-reader.ts'
import type { DayReader, DaySymbol, FeatureChannel, RowReader } from './events.ts'
import { postgresPart } from './postgres-part.ts'
import type { StreamPart } from './stream-part.ts'

/** A book is carried into the day if its newest snapshot is at most this old at midnight. */
const SNAPSHOT_AGE_MAX_US = 2 * HOUR_US

const QUOTE = ['ts_exchange', 'update_id', 'best_bid', 'bid_qty', 'best_ask', 'ask_qty'] as const
const TRADE = ['ts_exchange', 'price', 'qty'] as const
const MARK = ['ts_exchange', 'mark_price', 'index_price', 'funding_rate'] as const
const LIQUIDATION = ['ts_exchange', 'filled_qty'] as const

export interface Sources {
  /** Inside a read transaction; undefined if the plan has no part in Postgres. */
  readonly client: Client | undefined
  readonly archive: ArchiveReader
}

/** Parts of a stream that touch [from, to), oldest first. */
export type OpenParts = (
  exchange: Exchange,
  channel: FeatureChannel,
  from: Micros,
  to: Micros,
) => readonly StreamPart[]

export function openParts(plan: DayPlan, { client, archive }: Sources): OpenParts {
  return (exchange, channel, from, to) =>
    partsOf(plan, exchange, channel, from, to).map((part) => {
      if (part.kind === 'archive') return archivePart(archive, part.hour, part)
      if (client === undefined) throw new Error('The plan reads Postgres, but there is no client.')
      return postgresPart(client, exchange, channel, part)
    })
}

export function createDayReader(parts: OpenParts, day: Day): DayReader & RowReader {
  const { from, to } = dayRange(day)
  const dayBefore = ({ exchange }: DaySymbol, channel: FeatureChannel): readonly StreamPart[] =>
    parts(exchange, channel, micros(from - DAY_US), from)
  async function* rows<Chunk>(
    symbol: DaySymbol,
    channel: FeatureChannel,
    columns: readonly string[],
    {
      start = from,
      end = to,
    }: { readonly start?: Micros | undefined; readonly end?: Micros | undefined },
    chunkOf: (rows: RowChunk) => Chunk,
  ): AsyncGenerator<Chunk> {
    for (const part of parts(symbol.exchange, channel, start, end)) {
      for await (const chunk of part.rows(symbol, columns)) yield chunkOf(chunk)
    }
  }
  async function* depth(
    symbol: DaySymbol,
    begin?: Micros,
    end = to,
  ): AsyncGenerator<readonly ArrivedDepthRow[]> {
    const before = begin === undefined ? await snapshotBefore(parts, symbol, from) : undefined
    const start = before === undefined ? (begin ?? from) : micros(before - SNAPSHOT_LATE_US)
    for (const part of parts(symbol.exchange, 'depth_events', start, end)) yield* part.depth(symbol)
  }
  return {
    rows: (symbol, channel, columns) => rows(symbol, channel, columns, {}, (chunk) => chunk),
    quotes: (symbol, start, end) =>
      rows(symbol, 'book_ticker', QUOTE, { start, end }, numbersOf(QUOTE)),
    trades: (symbol, start, end) =>
      rows(symbol, 'trades', [...TRADE, 'is_buyer_maker'], { start, end }, (chunk) => ({
        ...numbersOf(TRADE)(chunk),
        is_buyer_maker: chunk.flags('is_buyer_maker'),
      })),
    marks: (symbol, start) => rows(symbol, 'mark_price', MARK, { start }, numbersOf(MARK)),
    liquidations: (symbol, start) =>
      rows(symbol, 'liquidations', [...LIQUIDATION, 'side'], { start }, (chunk) => ({
        ...numbersOf(LIQUIDATION)(chunk),
        is_buy: Uint8Array.from(chunk.texts('side'), (side) => (side === 'buy' ? 1 : 0)),
      })),
    depth,
    arrivedDepth: (symbol) => depth(symbol),
    async quoteBefore(symbol) {
      const row = await newest(dayBefore(symbol, 'book_ticker'), (part) =>
        part.lastRow(symbol, QUOTE),
      )
      return row && { ...row, ts_exchange: micros(row.ts_exchange) }
    },
    async markBefore(symbol) {
      const row = await newest(dayBefore(symbol, 'mark_price'), (part) =>
        part.lastRow(symbol, MARK),
      )
      return row && { ...row, ts_exchange: micros(row.ts_exchange) }
    },
  }
}

/** Picks these columns of a chunk, by name. */
function numbersOf<Name extends string>(names: readonly Name[]) {
  return (chunk: RowChunk): Readonly<Record<Name, Float64Array>> & Pick<RowChunk, 'row_count'> => {
    const columns = names.map((name) => [name, chunk.numbers(name)] as const)
    const by_name = Object.fromEntries(columns) as Record<Name, Float64Array>
    return { row_count: chunk.row_count, ...by_name }
  }
}

/** ts_exchange of the snapshot that the day's book starts from; undefined if none is recent. */
function snapshotBefore(
  parts: OpenParts,
  symbol: DaySymbol,
  from: Micros,
): Promise<number | undefined> {
  const begin = micros(from - SNAPSHOT_AGE_MAX_US)
  return newest(parts(symbol.exchange, 'depth_events', begin, from), (part) =>
    part.lastSnapshot(symbol),
  )
}

/** The result of the newest part that has one. */
async function newest<T>(
  parts: readonly StreamPart[],
  find: (part: StreamPart) => Promise<T | undefined>,
): Promise<T | undefined> {
  for (const part of parts.toReversed()) {
    const found = await find(part)
    if (found !== undefined) return found
  }
  return undefined
}
