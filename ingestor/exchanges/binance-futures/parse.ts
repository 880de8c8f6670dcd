/**
 * One WebSocket frame of Binance USD-M into market events, by way of JSON.parse: the reading
 * that decides. fast.ts reads the common frames quicker and must agree with it.
 */
import { isUtf8 } from 'node:buffer'
import type { BookTicker, MarketEvent, Trade, VoidTrade } from '#core/market.ts'
import type { Micros } from '#core/time.ts'
import type { Parsed, StreamChoice } from '../adapter.ts'
import {
  decimalField,
  flagField,
  idField,
  isFields,
  orRejected,
  parseJsonText,
  positiveField,
  Rejection,
  symbolField,
  timeField,
  type Fields,
} from '../fields.ts'
import type { WireAggTrade, WireBookTicker, WireCombined, WireTrade } from './wire.ts'

export const EXCHANGE = 'binance-futures'

/** Event types (`e`) that are market data, but not what we record. */
const IGNORED_CLASSES = new Set([
  'depthUpdate',
  'markPriceUpdate',
  'kline',
  'continuous_kline',
  '24hrTicker',
  '24hrMiniTicker',
  'forceOrder',
  'compositeIndex',
  'assetIndexUpdate',
  'contractInfo',
])

/** `st` of the COIN-M universe, which shares all-market streams with USD-M since 2026-06. */
export const COIN_MARGINED = 2

export function parseFrame(frame: Buffer, ts_ingest: Micros, choice: StreamChoice): Parsed {
  return orRejected(() => {
    if (!isUtf8(frame)) throw new Rejection('not_json', 'not UTF-8')
    return read(parseJsonText(frame.toString('utf8')), ts_ingest, choice)
  })
}

/** True where this recorder wants trades of this class; the other class is ignored. */
export function wantsTrades(choice: StreamChoice, stream: StreamChoice['trade_stream']): boolean {
  return choice.trade_stream === stream && choice.channels.includes('trades')
}

export function tradeEvent(trade: Omit<Trade, 'kind' | 'exchange'>): Trade {
  return {
    kind: 'trade',
    exchange: EXCHANGE,
    symbol: trade.symbol,
    ts_exchange: trade.ts_exchange,
    ts_ingest: trade.ts_ingest,
    agg_trade_id: trade.agg_trade_id,
    price: trade.price,
    qty: trade.qty,
    non_rpi_qty: trade.non_rpi_qty,
    first_trade_id: trade.first_trade_id,
    last_trade_id: trade.last_trade_id,
    is_buyer_maker: trade.is_buyer_maker,
  }
}

/** An aggregated trade, from the stream or from REST: the same event either way. */
export function readAggTrade(wire: Fields, symbol: string, ts_ingest: Micros): Trade {
  const name = field<WireAggTrade>
  return tradeEvent({
    symbol,
    ts_exchange: timeField(wire, name('T')),
    ts_ingest,
    agg_trade_id: idField(wire, name('a')),
    price: positiveField(wire, name('p')),
    qty: decimalField(wire, name('q')),
    non_rpi_qty: wire['nq'] === undefined ? null : decimalField(wire, name('nq')),
    first_trade_id: idField(wire, name('f')),
    last_trade_id: idField(wire, name('l')),
    is_buyer_maker: flagField(wire, name('m')),
  })
}

/** Names a letter of a wire type, so that a misspelt one does not compile. */
export function field<Wire>(name: keyof Wire & string): string {
  return name
}

function read(value: unknown, ts_ingest: Micros, choice: StreamChoice): Parsed {
  const name = field<WireCombined>
  const is_combined =
    isFields(value) && typeof value[name('stream')] === 'string' && name('data') in value
  return readPayload(is_combined ? value[name('data')] : value, ts_ingest, choice)
}

function readPayload(payload: unknown, ts_ingest: Micros, choice: StreamChoice): Parsed {
  if (Array.isArray(payload)) return readList(payload)
  if (!isFields(payload)) throw new Rejection('unknown_shape', 'not an object')
  const event_type = payload['e']
  if (event_type === undefined && isAnswer(payload)) return { kind: 'control' }
  if (typeof event_type !== 'string') throw new Rejection('unknown_shape', 'no event type (e)')
  if (payload['st'] === COIN_MARGINED) return { kind: 'ignored', stream_class: 'coin_m' }
  switch (event_type) {
    case 'bookTicker':
      if (!choice.channels.includes('book_ticker')) return ignored(event_type)
      return event(readBookTicker(payload, ts_ingest))
    case 'aggTrade':
      if (!wantsTrades(choice, 'aggTrade')) return ignored(event_type)
      return event(readAggTrade(payload, symbolField(payload, field<WireAggTrade>('s')), ts_ingest))
    case 'trade':
      if (!wantsTrades(choice, 'trade')) return ignored(event_type)
      return event(readTrade(payload, ts_ingest))
    case 'serverShutdown':
      return { kind: 'control' }
  }
  if (IGNORED_CLASSES.has(event_type)) return ignored(event_type)
  throw new Rejection('unknown_shape', `unknown event type ${event_type}`)
}

/** `!ticker@arr` and its like: a list of one class, none of which we record. */
function readList(payload: readonly unknown[]): Parsed {
  const first: unknown = payload[0]
  const event_type = isFields(first) ? first['e'] : undefined
  if (typeof event_type === 'string' && IGNORED_CLASSES.has(event_type)) return ignored(event_type)
  throw new Rejection('unknown_shape', 'a list of nothing we know')
}

function readBookTicker(wire: Fields, ts_ingest: Micros): BookTicker {
  const name = field<WireBookTicker>
  return {
    kind: 'book_ticker',
    exchange: EXCHANGE,
    symbol: symbolField(wire, name('s')),
    ts_exchange: timeField(wire, name('T')),
    ts_ingest,
    update_id: idField(wire, name('u')),
    best_bid: positiveField(wire, name('b')),
    bid_qty: decimalField(wire, name('B')),
    best_ask: positiveField(wire, name('a')),
    ask_qty: decimalField(wire, name('A')),
  }
}

function readTrade(wire: Fields, ts_ingest: Micros): Trade | VoidTrade {
  const name = field<WireTrade>
  const identity = {
    symbol: symbolField(wire, name('s')),
    ts_exchange: timeField(wire, name('T')),
    ts_ingest,
    agg_trade_id: idField(wire, name('t')),
  }
  const void_trade = { kind: 'void_trade', exchange: EXCHANGE, ...identity } as const
  const fill_kind = wire['X']
  if (fill_kind !== undefined && fill_kind !== 'MARKET') return void_trade
  const price = decimalField(wire, name('p'))
  const qty = decimalField(wire, name('q'))
  if (price === 0 || qty === 0) return void_trade
  return tradeEvent({
    ...identity,
    price,
    qty,
    non_rpi_qty: null,
    first_trade_id: null,
    last_trade_id: null,
    is_buyer_maker: flagField(wire, name('m')),
  })
}

/** The answer to one of our requests: `{"result":null,"id":1}` or an error object. */
function isAnswer(payload: Fields): boolean {
  return 'result' in payload || 'error' in payload || ('code' in payload && 'msg' in payload)
}

function event(made: MarketEvent): Parsed {
  return { kind: 'events', events: [made] }
}

function ignored(stream_class: string): Parsed {
  return { kind: 'ignored', stream_class }
}
