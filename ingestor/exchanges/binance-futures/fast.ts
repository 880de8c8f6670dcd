/**
 * Reads the common frames (bookTicker, aggTrade, trade, depthUpdate; combined or bare) straight
 * from their bytes, without a string and an object for each. It handles only frames in the plain
 * form of scan.ts and returns undefined for everything else, so parse.ts decides. Its results equal
 * those of parse.ts; a property test compares the two.
 */
import type { BookTicker, DepthEvent, Trade } from '#core/market.ts'
import { isSymbolName } from '#core/symbols.ts'
import { fromMillis, type Micros } from '#core/time.ts'
import type { DepthStream, Parsed, StreamChoice } from '../adapter.ts'
import { depthStreamOf, wantsTrades } from '../binance-socket.ts'
import { depthStreamsOf } from '../depth-choice.ts'
import { isPlausibleTime } from '../fields.ts'
import { createInterner } from '../intern.ts'
import { COIN_MARGINED, EXCHANGE } from './letters.ts'
import { tradeEvent } from './parse.ts'
import {
  decimalAt,
  endOfText,
  flagAt,
  isAbsent,
  isAt,
  isTextAt,
  levelsAt,
  NOT_PLAIN,
  scanObject,
  SLOT,
  textAt,
  wholeAt,
} from './scan.ts'

const STREAM_PREFIX = Buffer.from('{"stream":"')
const DATA_PREFIX = Buffer.from('","data":')
const CLOSE = 0x7d

const BOOK_TICKER = Buffer.from('bookTicker')
const AGG_TRADE = Buffer.from('aggTrade')
const TRADE = Buffer.from('trade')
const DEPTH_UPDATE = Buffer.from('depthUpdate')
const MARKET = Buffer.from('MARKET')

/** The wire's letters (wire.ts) as slots of the scan: their character codes. */
const KEY = {
  A: 0x41,
  B: 0x42,
  T: 0x54,
  U: 0x55,
  X: 0x58,
  a: 0x61,
  b: 0x62,
  e: 0x65,
  f: 0x66,
  l: 0x6c,
  m: 0x6d,
  p: 0x70,
  q: 0x71,
  s: 0x73,
  t: 0x74,
  u: 0x75,
} as const

/** The frame's event, or undefined if parse.ts must decide. */
export function parseFast(
  frame: Buffer,
  ts_ingest: Micros,
  choice: StreamChoice,
): Parsed | undefined {
  const name_end = scanFrame(frame)
  if (name_end === NOT_PLAIN || wholeAt(SLOT.st) === COIN_MARGINED) return undefined
  const event = readEvent(frame, name_end, ts_ingest, choice)
  return event === undefined ? undefined : { kind: 'events', events: [event] }
}

function readEvent(
  frame: Buffer,
  name_end: number,
  ts_ingest: Micros,
  choice: StreamChoice,
): BookTicker | Trade | DepthEvent | undefined {
  const symbol = textAt(frame, KEY.s, internSymbol)
  const ts_ms = wholeAt(KEY.T)
  if (symbol === undefined || !isPlausibleTime(ts_ms)) return undefined
  const ts_exchange = fromMillis(ts_ms)
  if (isTextAt(frame, KEY.e, BOOK_TICKER)) {
    if (!choice.channels.includes('book_ticker')) return undefined
    return readBookTicker(symbol, ts_exchange, ts_ingest)
  }
  if (isTextAt(frame, KEY.e, DEPTH_UPDATE)) {
    const stream =
      name_end === 0 ? 'diff' : internDepthStream(frame, STREAM_PREFIX.length, name_end)
    if (!depthStreamsOf(choice).includes(stream as DepthStream)) return undefined
    return readDepth(symbol, stream === 'diff', ts_exchange, ts_ingest)
  }
  if (isTextAt(frame, KEY.e, AGG_TRADE)) {
    if (!wantsTrades(choice, 'aggTrade')) return undefined
    return readAggTrade(frame, symbol, ts_exchange, ts_ingest)
  }
  if (!isTextAt(frame, KEY.e, TRADE) || !wantsTrades(choice, 'trade')) return undefined
  return readTrade(frame, symbol, ts_exchange, ts_ingest)
}

/**
 * Scans the payload of a combined or bare frame. Returns where the stream's name ends, 0 for a bare
 * frame, or NOT_PLAIN.
 */
function scanFrame(frame: Buffer): number {
  if (!isAt(frame, 0, STREAM_PREFIX)) return scanObject(frame, 0) === frame.length ? 0 : NOT_PLAIN
  const name_end = endOfText(frame, STREAM_PREFIX.length)
  if (name_end === NOT_PLAIN || !isAt(frame, name_end, DATA_PREFIX)) return NOT_PLAIN
  const end = scanObject(frame, name_end + DATA_PREFIX.length)
  return end === frame.length - 1 && frame[end] === CLOSE ? name_end : NOT_PLAIN
}

const internDepthStream = createInterner((bytes, start, end) =>
  depthStreamOf(bytes.toString('latin1', start, end)),
)

const internSymbol = createInterner((bytes, start, end) => {
  const text = bytes.toString('latin1', start, end)
  // A name with an underscore may be a COIN-M symbol.
  return isSymbolName(text) && !text.includes('_') ? text : undefined
})

function readBookTicker(
  symbol: string,
  ts_exchange: Micros,
  ts_ingest: Micros,
): BookTicker | undefined {
  const update_id = wholeAt(KEY.u)
  const best_bid = decimalAt(KEY.b)
  const bid_qty = decimalAt(KEY.B)
  const best_ask = decimalAt(KEY.a)
  const ask_qty = decimalAt(KEY.A)
  // NaN fails every comparison, so fields that the scan did not find are refused too.
  const is_valid = update_id >= 0 && best_bid >= 0 && bid_qty >= 0 && best_ask >= 0 && ask_qty >= 0
  if (!is_valid) return undefined
  const has_bid = best_bid > 0 && bid_qty > 0
  const has_ask = best_ask > 0 && ask_qty > 0
  return {
    kind: 'book_ticker',
    exchange: EXCHANGE,
    symbol,
    ts_exchange,
    ts_ingest,
    update_id,
    best_bid: has_bid ? best_bid : null,
    bid_qty: has_bid ? bid_qty : null,
    best_ask: has_ask ? best_ask : null,
    ask_qty: has_ask ? ask_qty : null,
  }
}

/** Leaves possible void trades to parse.ts, like readTrade. */
function readAggTrade(
  frame: Buffer,
  symbol: string,
  ts_exchange: Micros,
  ts_ingest: Micros,
): Trade | undefined {
  const agg_trade_id = wholeAt(KEY.a)
  const price = decimalAt(KEY.p)
  const qty = decimalAt(KEY.q)
  const non_rpi_qty = isAbsent(SLOT.nq) ? null : decimalAt(SLOT.nq)
  const first_trade_id = wholeAt(KEY.f)
  const last_trade_id = wholeAt(KEY.l)
  const is_buyer_maker = flagAt(KEY.m)
  if (!(agg_trade_id >= 0 && first_trade_id >= 0 && last_trade_id >= 0)) return undefined
  if (!isAbsent(KEY.X) && !isTextAt(frame, KEY.X, MARKET)) return undefined
  if (!(price > 0 && qty > 0 && (non_rpi_qty === null || non_rpi_qty >= 0))) return undefined
  if (is_buyer_maker === undefined) return undefined
  return tradeEvent({
    symbol,
    ts_exchange,
    ts_ingest,
    agg_trade_id,
    price,
    qty,
    non_rpi_qty,
    first_trade_id,
    last_trade_id,
    is_buyer_maker,
  })
}

function readDepth(
  symbol: string,
  is_diff: boolean,
  ts_exchange: Micros,
  ts_ingest: Micros,
): DepthEvent | undefined {
  const first_update_id = wholeAt(KEY.U)
  const final_update_id = wholeAt(KEY.u)
  const prev_final_update_id = wholeAt(SLOT.pu)
  const bids = levelsAt(KEY.b)
  const asks = levelsAt(KEY.a)
  if (!(first_update_id <= final_update_id && prev_final_update_id <= final_update_id))
    return undefined
  if (bids === undefined || asks === undefined) return undefined
  return {
    kind: 'depth',
    exchange: EXCHANGE,
    symbol,
    ts_exchange,
    ts_ingest,
    depth_kind: is_diff ? 'diff' : 'partial',
    first_update_id: is_diff ? first_update_id : null,
    final_update_id,
    prev_final_update_id: is_diff ? prev_final_update_id : null,
    bids,
    asks,
  }
}

function readTrade(
  frame: Buffer,
  symbol: string,
  ts_exchange: Micros,
  ts_ingest: Micros,
): Trade | undefined {
  const agg_trade_id = wholeAt(KEY.t)
  const price = decimalAt(KEY.p)
  const qty = decimalAt(KEY.q)
  const is_buyer_maker = flagAt(KEY.m)
  if (!isTextAt(frame, KEY.X, MARKET) || is_buyer_maker === undefined) return undefined
  if (!(agg_trade_id >= 0 && price > 0 && qty > 0)) return undefined
  return tradeEvent({
    symbol,
    ts_exchange,
    ts_ingest,
    agg_trade_id,
    price,
    qty,
    non_rpi_qty: null,
    first_trade_id: null,
    last_trade_id: null,
    is_buyer_maker,
  })
}
