/**
 * Parses one WebSocket frame of Binance USD-M into market events with JSON.parse. This is the
 * reference: fast.ts reads the common frames faster and must agree with it.
 */
import type { BookTicker, MarketEvent, Trade, VoidTrade } from '#core/market.ts'
import type { Micros } from '#core/time.ts'
import type { DepthStream, Parsed, StreamChoice } from '../adapter.ts'
import { depthStreamOf, isAnswer, unwrap, wantsTrades } from '../binance-socket.ts'
import { depthStreamsOf } from '../depth-choice.ts'
import {
  decimalField,
  field,
  flagField,
  idField,
  isFields,
  orRejected,
  quoteSide,
  readEach,
  Rejection,
  symbolField,
  timeField,
  type Fields,
} from '../fields.ts'
import { isMarkedVoid, tradeAmounts } from '../void-trade.ts'
import { readDepthUpdate, readLiquidation, readMarkPrice } from './derivatives.ts'
import { EXCHANGE, isCoinMargined } from './letters.ts'
import type {
  WireAggTrade,
  WireBookTicker,
  WireForceOrder,
  WireMarkPrice,
  WireTrade,
} from './wire.ts'

/** Event types (`e`) of market data that we do not record. */
const IGNORED_CLASSES = new Set([
  'kline',
  'continuous_kline',
  '24hrTicker',
  '24hrMiniTicker',
  'compositeIndex',
  'assetIndexUpdate',
])

export function parseFrame(frame: Buffer, ts_ingest: Micros, choice: StreamChoice): Parsed {
  return orRejected(() => {
    const { stream, payload } = unwrap(frame)
    return readPayload(payload, stream, ts_ingest, choice)
  })
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

export function voidTrade(identity: Omit<VoidTrade, 'kind' | 'exchange'>): VoidTrade {
  return { kind: 'void_trade', exchange: EXCHANGE, ...identity }
}

/** An aggregated trade. The stream and REST give the same event. */
export function readAggTrade(wire: Fields, symbol: string, ts_ingest: Micros): Trade | VoidTrade {
  const name = field<WireAggTrade>
  const identity = {
    symbol,
    ts_exchange: timeField(wire, name('T')),
    ts_ingest,
    agg_trade_id: idField(wire, name('a')),
  }
  const amounts = tradeAmounts(wire, name('p'), name('q'), isMarkedVoid(wire))
  if (amounts === undefined) return voidTrade(identity)
  return tradeEvent({
    ...identity,
    ...amounts,
    non_rpi_qty: wire['nq'] === undefined ? null : decimalField(wire, name('nq')),
    first_trade_id: idField(wire, name('f')),
    last_trade_id: idField(wire, name('l')),
    is_buyer_maker: flagField(wire, name('m')),
  })
}

function readPayload(
  payload: unknown,
  stream: string | undefined,
  ts_ingest: Micros,
  choice: StreamChoice,
): Parsed {
  if (Array.isArray(payload)) return readList(payload, ts_ingest, choice)
  if (!isFields(payload)) throw new Rejection('unknown_shape', 'not an object')
  const event_type = payload['e']
  if (event_type === undefined && isAnswer(payload)) return { kind: 'control' }
  if (typeof event_type !== 'string') throw new Rejection('unknown_shape', 'no event type (e)')
  if (isLeftOut(payload, choice)) return ignored('coin_m')
  const { channels } = choice
  switch (event_type) {
    case 'bookTicker':
      if (!channels.includes('book_ticker')) return ignored(event_type)
      return event(readBookTicker(payload, ts_ingest))
    case 'aggTrade':
      if (!wantsTrades(choice, 'aggTrade')) return ignored(event_type)
      return event(readAggTrade(payload, symbolField(payload, field<WireAggTrade>('s')), ts_ingest))
    case 'trade':
      if (!wantsTrades(choice, 'trade')) return ignored(event_type)
      return event(readTrade(payload, ts_ingest))
    case 'depthUpdate':
      return readDepth(payload, depthStreamOf(stream), ts_ingest, choice)
    case 'markPriceUpdate':
      if (!channels.includes('mark_price')) return ignored(event_type)
      return event(readMarkPrice(payload, ts_ingest))
    case 'forceOrder':
      return readForceOrder(payload, ts_ingest, choice)
    case 'serverShutdown':
    // The listing changed. It is read again over REST, because the frame lacks the steps.
    case 'contractInfo':
      return { kind: 'control' }
  }
  if (IGNORED_CLASSES.has(event_type)) return ignored(event_type)
  throw new Rejection('unknown_shape', `unknown event type ${event_type}`)
}

function isLeftOut(payload: Fields, choice: StreamChoice): boolean {
  return choice.include_coin_m !== true && isCoinMargined(payload)
}

/** `!markPrice@arr`, `!ticker@arr` and similar: a list of one class. */
function readList(payload: readonly unknown[], ts_ingest: Micros, choice: StreamChoice): Parsed {
  const first: unknown = payload[0]
  const event_type = isFields(first) ? first['e'] : undefined
  if (typeof event_type === 'string' && IGNORED_CLASSES.has(event_type)) return ignored(event_type)
  if (event_type !== 'markPriceUpdate') {
    throw new Rejection('unknown_shape', 'a list of an unknown class')
  }
  if (!choice.channels.includes('mark_price')) return ignored(event_type)
  const parsed = readEach(
    payload,
    (one) => (isLeftOut(one, choice) ? [] : [readMarkPrice(one, ts_ingest)]),
    (one) => {
      const symbol = isFields(one) ? one[field<WireMarkPrice>('s')] : undefined
      return typeof symbol === 'string' ? { symbol, channel: 'mark_price' } : undefined
    },
  )
  const is_empty = parsed.kind === 'events' && parsed.events.length === 0
  return is_empty && parsed.odd === undefined ? ignored('coin_m') : parsed
}

function readDepth(
  wire: Fields,
  depth_stream: DepthStream,
  ts_ingest: Micros,
  choice: StreamChoice,
): Parsed {
  if (depthStreamsOf(choice).includes(depth_stream)) {
    return event(readDepthUpdate(wire, depth_stream, ts_ingest))
  }
  return ignored(depth_stream === 'diff' ? 'depthUpdate' : depth_stream)
}

function readForceOrder(wire: Fields, ts_ingest: Micros, choice: StreamChoice): Parsed {
  const order = wire[field<WireForceOrder>('o')]
  if (!isFields(order)) throw new Rejection('bad_field', 'o: expected an order')
  if (isLeftOut(order, choice)) return ignored('coin_m')
  if (!choice.channels.includes('liquidations')) return ignored('forceOrder')
  return event(readLiquidation(order, ts_ingest))
}

function readBookTicker(wire: Fields, ts_ingest: Micros): BookTicker {
  const name = field<WireBookTicker>
  const bid = quoteSide(wire, name('b'), name('B'))
  const ask = quoteSide(wire, name('a'), name('A'))
  return {
    kind: 'book_ticker',
    exchange: EXCHANGE,
    symbol: symbolField(wire, name('s')),
    ts_exchange: timeField(wire, name('T')),
    ts_ingest,
    update_id: idField(wire, name('u')),
    best_bid: bid.price,
    bid_qty: bid.qty,
    best_ask: ask.price,
    ask_qty: ask.qty,
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
  const amounts = tradeAmounts(wire, name('p'), name('q'), isMarkedVoid(wire))
  if (amounts === undefined) return voidTrade(identity)
  return tradeEvent({
    ...identity,
    ...amounts,
    non_rpi_qty: null,
    first_trade_id: null,
    last_trade_id: null,
    is_buyer_maker: flagField(wire, name('m')),
  })
}

function event(made: MarketEvent): Parsed {
  return { kind: 'events', events: [made] }
}

function ignored(stream_class: string): Parsed {
  return { kind: 'ignored', stream_class }
}
