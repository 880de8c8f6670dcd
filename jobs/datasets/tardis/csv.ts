/**
 * Writes rows like Tardis' downloadable CSV files (docs.tardis.dev, "Downloadable CSV files"):
 * column names, times in microseconds since 1970, Tardis' exchange names, an empty field for an
 * empty side of the book, rows in the order of local_timestamp.
 */
import type { Exchange } from '#core/symbols.ts'
import type { Day } from '#core/time.ts'
import type { RowChunk } from '../../columns/row-chunk.ts'
import { LineBuffer } from './line-buffer.ts'

/** Tardis' name of the data type. */
export type TardisKind = RowKind | 'incremental_book_L2' | 'book_snapshot_25'
/** The kinds whose lines are rows of a table. */
export type RowKind = 'trades' | 'quotes'

/** Levels per side of book_snapshot_25. */
export const SNAPSHOT_LEVELS = 25

export const TARDIS_EXCHANGES: Readonly<Record<Exchange, string>> = {
  'binance-futures': 'binance-futures',
  'binance-spot': 'binance',
  deribit: 'deribit',
  'bybit-linear': 'bybit',
}

export const TARDIS_HEADERS: Readonly<Record<TardisKind, string>> = {
  trades: 'exchange,symbol,timestamp,local_timestamp,id,side,price,amount',
  quotes: 'exchange,symbol,timestamp,local_timestamp,ask_amount,ask_price,bid_price,bid_amount',
  incremental_book_L2: 'exchange,symbol,timestamp,local_timestamp,is_snapshot,side,price,amount',
  book_snapshot_25: [
    'exchange,symbol,timestamp,local_timestamp',
    ...Array.from({ length: SNAPSHOT_LEVELS }, (_, rank) =>
      ['asks', 'bids'].map((side) => `${side}[${rank}].price,${side}[${rank}].amount`).join(','),
    ),
  ].join(','),
}

/** About 400 KB. */
const LINES_MAX = 4_096
/** Three whole numbers of 16 digits, and four decimals: the longest double has 326 characters. */
const VALUES_BYTES_MAX = 4 * 326 + 3 * 17 + 8
const COMMA = 44
const LINE_END = 10
const [BUY, SELL] = [Buffer.from('buy,'), Buffer.from('sell,')]

/**
 * `binance-futures_trades_2024-08-08_BTCUSDT.csv.gz`: the name that Tardis' client gives a file.
 */
export function tardisFileName(
  kind: TardisKind,
  exchange: Exchange,
  date: Day,
  symbol: string,
): string {
  return `${TARDIS_EXCHANGES[exchange]}_${kind}_${date}_${symbol}.csv.gz`
}

/** The chunk's lines, each with its line end, in batches of some thousands. */
export function* tardisLines(
  kind: RowKind,
  exchange: Exchange,
  symbol: string,
  chunk: RowChunk,
): Generator<Uint8Array> {
  const head = Buffer.from(`${TARDIS_EXCHANGES[exchange]},${symbol},`)
  const lines = new LineBuffer(LINES_MAX * (head.length + VALUES_BYTES_MAX))
  const addValues = kind === 'trades' ? tradeValues(chunk) : quoteValues(chunk)
  for (let from = 0; from < chunk.row_count; from += LINES_MAX) {
    const to = Math.min(chunk.row_count, from + LINES_MAX)
    for (let row = from; row < to; row++) {
      lines.add(head)
      addValues(lines, row)
      lines.addByte(LINE_END)
    }
    yield lines.take()
  }
}

type AddValues = (lines: LineBuffer, row: number) => void

function tradeValues(chunk: RowChunk): AddValues {
  const ts = chunk.numbers('ts_exchange')
  const local_ts = chunk.numbers('ts_ingest')
  const id = chunk.numbers('agg_trade_id')
  const price = chunk.numbers('price')
  const qty = chunk.numbers('qty')
  const is_buyer_maker = chunk.flags('is_buyer_maker')
  return (lines, row) => {
    for (const whole of [ts, local_ts, id]) {
      lines.addWhole(whole[row]!)
      lines.addByte(COMMA)
    }
    lines.add(is_buyer_maker[row] === 1 ? SELL : BUY)
    lines.addDecimal(price[row]!)
    lines.addByte(COMMA)
    lines.addDecimal(qty[row]!)
  }
}

function quoteValues(chunk: RowChunk): AddValues {
  const wholes = ['ts_exchange', 'ts_ingest'].map((name) => chunk.numbers(name))
  const first = chunk.numbers('ask_qty')
  const others = ['best_ask', 'best_bid', 'bid_qty'].map((name) => chunk.numbers(name))
  return (lines, row) => {
    for (const whole of wholes) {
      lines.addWhole(whole[row]!)
      lines.addByte(COMMA)
    }
    lines.addDecimal(first[row]!)
    for (const decimal of others) {
      lines.addByte(COMMA)
      lines.addDecimal(decimal[row]!)
    }
  }
}
