/**
 * One symbol's rows of the raw tables by binary COPY, in the order of the primary key, so that
 * Postgres neither sorts nor scans other hours. The client is inside a transaction that makes the
 * reads one view; whoever opened it closes it.
 */
import copyStreams from 'pg-copy-streams'
import type { Client } from '#core/node/pool.ts'
import { micros, toIso } from '#core/time.ts'
import { readInt8, readMicros } from '#core/node/pg-copy/cells.ts'
import { copyRows, type CopyRows, type Widths } from '#core/node/pg-copy/fixed-rows.ts'
import { readDepth, type DepthRow, type Span } from './depth-reader.ts'
import type {
  CarriedMark,
  CarriedQuote,
  DaySymbol,
  FeatureChannel,
  LiquidationChunk,
  MarkChunk,
  QuoteChunk,
  TradeChunk,
} from './source.ts'

export async function* readQuotes(
  client: Client,
  symbol: DaySymbol,
  span: Span,
): AsyncGenerator<QuoteChunk> {
  const sides = ['best_bid', 'bid_qty', 'best_ask', 'ask_qty'].map(orNaN)
  const columns = ['ts_exchange', 'update_id', ...sides]
  const [ts_exchange, update_id, best_bid] = [floats(), floats(), floats()]
  const [bid_qty, best_ask, ask_qty] = [floats(), floats(), floats()]
  for await (const rows of copySpan(client, symbol, 'book_ticker', span, columns)) {
    const { view, row_count, row_bytes, offsets } = rows
    for (let i = 0, at = 0; i < row_count; i++, at += row_bytes) {
      ts_exchange[i] = readMicros(view, at + offsets[0]!)
      update_id[i] = readInt8(view, at + offsets[1]!)
      best_bid[i] = view.getFloat64(at + offsets[2]!)
      bid_qty[i] = view.getFloat64(at + offsets[3]!)
      best_ask[i] = view.getFloat64(at + offsets[4]!)
      ask_qty[i] = view.getFloat64(at + offsets[5]!)
    }
    yield { row_count, ts_exchange, update_id, best_bid, bid_qty, best_ask, ask_qty }
  }
}

export async function* readTrades(
  client: Client,
  symbol: DaySymbol,
  span: Span,
): AsyncGenerator<TradeChunk> {
  const columns = ['ts_exchange', 'price', 'qty', 'is_buyer_maker']
  const [ts_exchange, price, qty] = [floats(), floats(), floats()]
  const is_buyer_maker = new Uint8Array(CHUNK_ROWS)
  for await (const rows of copySpan(client, symbol, 'trades', span, columns, [8, 8, 8, 1])) {
    const { view, row_count, row_bytes, offsets } = rows
    for (let i = 0, at = 0; i < row_count; i++, at += row_bytes) {
      ts_exchange[i] = readMicros(view, at + offsets[0]!)
      price[i] = view.getFloat64(at + offsets[1]!)
      qty[i] = view.getFloat64(at + offsets[2]!)
      is_buyer_maker[i] = view.getUint8(at + offsets[3]!)
    }
    yield { row_count, ts_exchange, price, qty, is_buyer_maker }
  }
}

export async function* readMarks(
  client: Client,
  symbol: DaySymbol,
  span: Span,
): AsyncGenerator<MarkChunk> {
  const columns = ['ts_exchange', 'mark_price', orNaN('index_price'), orNaN('funding_rate')]
  const [ts_exchange, mark_price] = [floats(), floats()]
  const [index_price, funding_rate] = [floats(), floats()]
  for await (const rows of copySpan(client, symbol, 'mark_price', span, columns)) {
    const { view, row_count, row_bytes, offsets } = rows
    for (let i = 0, at = 0; i < row_count; i++, at += row_bytes) {
      ts_exchange[i] = readMicros(view, at + offsets[0]!)
      mark_price[i] = view.getFloat64(at + offsets[1]!)
      index_price[i] = view.getFloat64(at + offsets[2]!)
      funding_rate[i] = view.getFloat64(at + offsets[3]!)
    }
    yield { row_count, ts_exchange, mark_price, index_price, funding_rate }
  }
}

export async function* readLiquidations(
  client: Client,
  symbol: DaySymbol,
  span: Span,
): AsyncGenerator<LiquidationChunk> {
  const columns = ['ts_exchange', 'filled_qty', "side = 'buy'"]
  const [ts_exchange, filled_qty] = [floats(), floats()]
  const is_buy = new Uint8Array(CHUNK_ROWS)
  for await (const rows of copySpan(client, symbol, 'liquidations', span, columns, [8, 8, 1])) {
    const { view, row_count, row_bytes, offsets } = rows
    for (let i = 0, at = 0; i < row_count; i++, at += row_bytes) {
      ts_exchange[i] = readMicros(view, at + offsets[0]!)
      filled_qty[i] = view.getFloat64(at + offsets[1]!)
      is_buy[i] = view.getUint8(at + offsets[2]!)
    }
    yield { row_count, ts_exchange, is_buy, filled_qty }
  }
}

export function readBookChanges(
  client: Client,
  symbol: DaySymbol,
  span: Span,
): AsyncIterable<readonly DepthRow[]> {
  return readDepth(client, symbol.symbol_id, ['diff', 'snapshot'], span)
}

/** The newest quote of the span. */
export async function selectLastQuote(
  client: Client,
  { symbol_id }: DaySymbol,
  { from, to }: Span,
): Promise<CarriedQuote | undefined> {
  const sides = ['best_bid', 'bid_qty', 'best_ask', 'ask_qty'].map((name) => `${orNaN(name)} as ${name}`)
  const { rows } = await client.query<Omit<CarriedQuote, 'update_id' | 'ts_exchange'> & {
    ts: number
    update_id: string
  }>(
    `select (extract(epoch from ts_exchange) * 1000000)::float8 as ts, update_id,
       ${sides.join(', ')}
     from marketdata.book_ticker
     where symbol_id = $1 and ts_exchange >= $2 and ts_exchange < $3
     order by ts_exchange desc, update_id desc limit 1`,
    [symbol_id, toIso(from), toIso(to)],
  )
  const row = rows[0]
  if (row === undefined) return undefined
  const { ts, update_id, ...quote } = row
  return { ...quote, ts_exchange: micros(ts), update_id: Number(update_id) }
}

/** The newest mark price of the span. */
export async function selectLastMark(
  client: Client,
  { symbol_id }: DaySymbol,
  { from, to }: Span,
): Promise<CarriedMark | undefined> {
  const { rows } = await client.query<Omit<CarriedMark, 'ts_exchange'> & { ts: number }>(
    `select (extract(epoch from ts_exchange) * 1000000)::float8 as ts, mark_price,
       ${orNaN('index_price')} as index_price, ${orNaN('funding_rate')} as funding_rate
     from marketdata.mark_price
     where symbol_id = $1 and ts_exchange >= $2 and ts_exchange < $3
     order by ts_exchange desc limit 1`,
    [symbol_id, toIso(from), toIso(to)],
  )
  const row = rows[0]
  if (row === undefined) return undefined
  const { ts, ...mark } = row
  return { ...mark, ts_exchange: micros(ts) }
}

/** ts_exchange of the newest snapshot of the span. */
export async function selectLastSnapshot(
  client: Client,
  { symbol_id }: DaySymbol,
  { from, to }: Span,
): Promise<number | undefined> {
  const { rows } = await client.query<{ ts: number }>(
    `select (extract(epoch from ts_exchange) * 1000000)::float8 as ts
     from marketdata.depth_events
     where symbol_id = $1 and depth_kind = 'snapshot' and ts_exchange >= $2 and ts_exchange < $3
     order by ts_exchange desc limit 1`,
    [symbol_id, toIso(from), toIso(to)],
  )
  return rows[0]?.ts
}

/** Rows per chunk. */
export const CHUNK_ROWS = 8_192

const ORDER: Readonly<Record<Exclude<FeatureChannel, 'depth_events'>, string>> = {
  book_ticker: 'ts_exchange, update_id',
  trades: 'ts_exchange, agg_trade_id',
  mark_price: 'ts_exchange',
  liquidations: 'ts_exchange, side, price, qty',
}

/** COPY takes no parameters: the id and the times in the text are numbers that we made text. */
export function copySpan(
  client: Client,
  symbol: DaySymbol,
  table: keyof typeof ORDER,
  { from, to }: Span,
  columns: readonly string[],
  widths: Widths = columns.map(() => 8),
): AsyncIterable<CopyRows> {
  const stream = client.query(
    copyStreams.to(
      `copy (
         select ${columns.join(', ')} from marketdata.${table}
         where symbol_id = ${symbol.symbol_id}
           and ts_exchange >= '${toIso(from)}' and ts_exchange < '${toIso(to)}'
         order by ${ORDER[table]}
       ) to stdout (format binary)`,
    ),
  )
  return copyRows(stream, widths, CHUNK_ROWS)
}

function floats(): Float64Array {
  return new Float64Array(CHUNK_ROWS)
}

/** A null has no width: what has one takes its place. */
export function orNaN(column: string): string {
  return `coalesce(${column}, 'NaN'::float8)`
}
