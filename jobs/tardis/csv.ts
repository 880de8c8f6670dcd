/**
 * Rows in the form of Tardis' downloadable CSV files (docs.tardis.dev, "Downloadable CSV files"):
 * column names, times in microseconds since 1970, exchange names as Tardis spells them. Rows stand
 * in the order of the exchange's time and id; Tardis' own files are ordered by local_timestamp.
 */
import type { Exchange } from '#core/symbols.ts'
import type { Day } from '#core/time.ts'
import type { ArchiveChunk } from '../archive/read.ts'

/** What Tardis calls the kind of data. */
export type TardisKind = 'trades' | 'quotes'

export const TARDIS_EXCHANGES: Readonly<Record<Exchange, string>> = {
  'binance-futures': 'binance-futures',
  'binance-spot': 'binance',
  deribit: 'deribit',
  'bybit-linear': 'bybit',
}

export const TARDIS_HEADERS: Readonly<Record<TardisKind, string>> = {
  trades: 'exchange,symbol,timestamp,local_timestamp,id,side,price,amount',
  quotes: 'exchange,symbol,timestamp,local_timestamp,ask_amount,ask_price,bid_price,bid_amount',
}

/** A text of some 400 KB. */
const LINES_MAX = 4_096

/** `binance-futures_trades_2024-08-08_BTCUSDT.csv.gz`: the name that Tardis' client gives a file. */
export function tardisFileName(
  kind: TardisKind,
  exchange: Exchange,
  date: Day,
  symbol: string,
): string {
  return `${TARDIS_EXCHANGES[exchange]}_${kind}_${date}_${symbol}.csv.gz`
}

/** The chunk's lines, each with its end, some thousands at a time. */
export function* tardisLines(
  kind: TardisKind,
  exchange: Exchange,
  symbol: string,
  chunk: ArchiveChunk,
): Generator<string> {
  const head = `${TARDIS_EXCHANGES[exchange]},${symbol},`
  const lineOf = kind === 'trades' ? tradeLine(head, chunk) : quoteLine(head, chunk)
  for (let from = 0; from < chunk.row_count; from += LINES_MAX) {
    const to = Math.min(chunk.row_count, from + LINES_MAX)
    let text = ''
    for (let row = from; row < to; row++) text += lineOf(row)
    yield text
  }
}

/** The shortest decimal that reads back as the same double, without an exponent. */
export function plainDecimal(value: number): string {
  const text = String(value)
  if (!text.includes('e')) return text
  const match = /^(-?)(\d)(?:\.(\d+))?e([+-]\d+)$/.exec(text)
  if (match === null) return text
  const [, sign = '', head = '', tail = '', exponent] = match
  const digits = head + tail
  const point = 1 + Number(exponent)
  if (point <= 0) return `${sign}0.${'0'.repeat(-point)}${digits}`
  return `${sign}${digits.padEnd(point, '0')}`
}

function tradeLine(head: string, chunk: ArchiveChunk): (row: number) => string {
  const ts = chunk.numbers('ts_exchange')
  const local_ts = chunk.numbers('ts_ingest')
  const id = chunk.numbers('agg_trade_id')
  const price = chunk.numbers('price')
  const qty = chunk.numbers('qty')
  const is_buyer_maker = chunk.flags('is_buyer_maker')
  return (row) => {
    const side = is_buyer_maker[row] === 1 ? 'sell' : 'buy'
    const [p, q] = [plainDecimal(price[row]!), plainDecimal(qty[row]!)]
    return `${head}${ts[row]},${local_ts[row]},${id[row]},${side},${p},${q}\n`
  }
}

function quoteLine(head: string, chunk: ArchiveChunk): (row: number) => string {
  const ts = chunk.numbers('ts_exchange')
  const local_ts = chunk.numbers('ts_ingest')
  const [ask_qty, best_ask] = [chunk.numbers('ask_qty'), chunk.numbers('best_ask')]
  const [best_bid, bid_qty] = [chunk.numbers('best_bid'), chunk.numbers('bid_qty')]
  return (row) => {
    const ask = `${plainDecimal(ask_qty[row]!)},${plainDecimal(best_ask[row]!)}`
    const bid = `${plainDecimal(best_bid[row]!)},${plainDecimal(bid_qty[row]!)}`
    return `${head}${ts[row]},${local_ts[row]},${ask},${bid}\n`
  }
}
