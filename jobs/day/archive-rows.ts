/** One symbol's rows of an archived hour as the computations take them. */
import type { ArchivedHour } from '#core/archive.ts'
import type { Level } from '#core/market.ts'
import { micros } from '#core/time.ts'
import type { ArchiveReader } from '../archive/read.ts'
import { levelStart, type LevelColumn } from '../columns/columns.ts'
import type { RowChunk } from '../columns/row-chunk.ts'
import type { DepthRow, Span } from './depth-reader.ts'
import type {
  CarriedMark,
  CarriedQuote,
  DaySymbol,
  LiquidationChunk,
  MarkChunk,
  QuoteChunk,
  TradeChunk,
} from './source.ts'

const DEPTH = [
  'ts_exchange',
  'final_update_id',
  'first_update_id',
  'prev_final_update_id',
  'depth_kind',
  'bids',
  'asks',
]

export async function* readQuotes(
  archive: ArchiveReader,
  { symbol }: DaySymbol,
  hour: ArchivedHour,
): AsyncGenerator<QuoteChunk> {
  const columns = ['ts_exchange', 'update_id', 'best_bid', 'bid_qty', 'best_ask', 'ask_qty']
  for await (const chunk of archive.readSymbolHour(hour, { symbol, columns })) {
    yield {
      row_count: chunk.row_count,
      ts_exchange: chunk.numbers('ts_exchange'),
      update_id: chunk.numbers('update_id'),
      best_bid: chunk.numbers('best_bid'),
      bid_qty: chunk.numbers('bid_qty'),
      best_ask: chunk.numbers('best_ask'),
      ask_qty: chunk.numbers('ask_qty'),
    }
  }
}

export async function* readTrades(
  archive: ArchiveReader,
  { symbol }: DaySymbol,
  hour: ArchivedHour,
): AsyncGenerator<TradeChunk> {
  const columns = ['ts_exchange', 'price', 'qty', 'is_buyer_maker']
  for await (const chunk of archive.readSymbolHour(hour, { symbol, columns })) {
    yield {
      row_count: chunk.row_count,
      ts_exchange: chunk.numbers('ts_exchange'),
      price: chunk.numbers('price'),
      qty: chunk.numbers('qty'),
      is_buyer_maker: chunk.flags('is_buyer_maker'),
    }
  }
}

export async function* readMarks(
  archive: ArchiveReader,
  { symbol }: DaySymbol,
  hour: ArchivedHour,
): AsyncGenerator<MarkChunk> {
  const columns = ['ts_exchange', 'mark_price', 'index_price', 'funding_rate']
  for await (const chunk of archive.readSymbolHour(hour, { symbol, columns })) {
    yield {
      row_count: chunk.row_count,
      ts_exchange: chunk.numbers('ts_exchange'),
      mark_price: chunk.numbers('mark_price'),
      index_price: chunk.numbers('index_price'),
      funding_rate: chunk.numbers('funding_rate'),
    }
  }
}

export async function* readLiquidations(
  archive: ArchiveReader,
  { symbol }: DaySymbol,
  hour: ArchivedHour,
): AsyncGenerator<LiquidationChunk> {
  const columns = ['ts_exchange', 'side', 'filled_qty']
  for await (const chunk of archive.readSymbolHour(hour, { symbol, columns })) {
    yield {
      row_count: chunk.row_count,
      ts_exchange: chunk.numbers('ts_exchange'),
      is_buy: Uint8Array.from(chunk.texts('side'), (side) => (side === 'buy' ? 1 : 0)),
      filled_qty: chunk.numbers('filled_qty'),
    }
  }
}

export async function* readBookChanges(
  archive: ArchiveReader,
  { symbol }: DaySymbol,
  hour: ArchivedHour,
  span: Span,
): AsyncGenerator<readonly DepthRow[]> {
  for await (const chunk of archive.readSymbolHour(hour, { symbol, columns: DEPTH, ...span })) {
    yield depthRows(chunk).filter(({ ts_exchange: ts }) => ts >= span.from && ts < span.to)
  }
}

/** The last quote of the hour. */
export async function lastQuote(
  archive: ArchiveReader,
  symbol: DaySymbol,
  hour: ArchivedHour,
): Promise<CarriedQuote | undefined> {
  let last: CarriedQuote | undefined
  for await (const chunk of readQuotes(archive, symbol, hour)) {
    const i = chunk.row_count - 1
    last = {
      ts_exchange: micros(chunk.ts_exchange[i]!),
      update_id: chunk.update_id[i]!,
      best_bid: chunk.best_bid[i]!,
      bid_qty: chunk.bid_qty[i]!,
      best_ask: chunk.best_ask[i]!,
      ask_qty: chunk.ask_qty[i]!,
    }
  }
  return last
}

/** The last mark price of the hour. */
export async function lastMark(
  archive: ArchiveReader,
  symbol: DaySymbol,
  hour: ArchivedHour,
): Promise<CarriedMark | undefined> {
  let last: CarriedMark | undefined
  for await (const chunk of readMarks(archive, symbol, hour)) {
    const i = chunk.row_count - 1
    last = {
      ts_exchange: micros(chunk.ts_exchange[i]!),
      mark_price: chunk.mark_price[i]!,
      index_price: chunk.index_price[i]!,
      funding_rate: chunk.funding_rate[i]!,
    }
  }
  return last
}

/** ts_exchange of the last snapshot of the span. */
export async function lastSnapshot(
  archive: ArchiveReader,
  { symbol }: DaySymbol,
  hour: ArchivedHour,
  span: Span,
): Promise<number | undefined> {
  const columns = ['ts_exchange', 'depth_kind']
  let last: number | undefined
  for await (const chunk of archive.readSymbolHour(hour, { symbol, columns, ...span })) {
    const ts_exchange = chunk.numbers('ts_exchange')
    for (const [row, depth_kind] of chunk.texts('depth_kind').entries()) {
      const ts = ts_exchange[row]!
      if (depth_kind === 'snapshot' && ts >= span.from && ts < span.to) last = ts
    }
  }
  return last
}

function depthRows(chunk: RowChunk): readonly DepthRow[] {
  const ts_exchange = chunk.numbers('ts_exchange')
  const final_update_id = chunk.numbers('final_update_id')
  const first_update_id = chunk.numbers('first_update_id')
  const prev_final_update_id = chunk.numbers('prev_final_update_id')
  const depth_kind = chunk.texts('depth_kind')
  const bids = chunk.levels('bids')
  const asks = chunk.levels('asks')
  const rows: DepthRow[] = []
  for (let row = 0; row < chunk.row_count; row++) {
    const kind = depth_kind[row]!
    if (kind !== 'diff' && kind !== 'snapshot') continue
    rows.push({
      ts_exchange: micros(ts_exchange[row]!),
      final_update_id: final_update_id[row]!,
      first_update_id: orNull(first_update_id[row]!),
      prev_final_update_id: orNull(prev_final_update_id[row]!),
      depth_kind: kind,
      bids: levelsOf(bids, row),
      asks: levelsOf(asks, row),
    })
  }
  return rows
}

function levelsOf(column: LevelColumn, row: number): readonly Level[] {
  const start = levelStart(column, row)
  return Array.from(
    { length: column.ends[row]! - start },
    (_, i) => [column.price[start + i]!, column.qty[start + i]!] as const,
  )
}

function orNull(value: number): number | null {
  return Number.isNaN(value) ? null : value
}
