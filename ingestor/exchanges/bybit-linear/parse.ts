/** Parses one WebSocket frame of Bybit's linear contracts into market events. */
import { isUtf8 } from 'node:buffer'
import type {
  BookTicker,
  DepthEvent,
  Liquidation,
  MarketEvent,
  Trade,
  VoidTrade,
} from '#core/market.ts'
import type { Micros } from '#core/time.ts'
import type { Parsed, StreamChoice } from '../adapter.ts'
import {
  EMPTY_SIDE,
  field,
  type Fields,
  flagField,
  idField,
  isFields,
  levelsField,
  orRejected,
  parseJsonText,
  positiveField,
  type QuoteSide,
  quoteSide,
  readEach,
  Rejection,
  symbolField,
} from '../fields.ts'
import { tradeAmounts } from '../void-trade.ts'
import { millisField } from './millis-field.ts'
import { readTicker } from './ticker.ts'
import { channelOfClass, EXCHANGE, parseTopic, type RecordedChannel } from './topics.ts'
import { tradeNumber } from './trade-number.ts'
import type { WireAnswer, WireBook, WireFrame, WireLiquidation, WireTrade } from './wire.ts'

export function parseFrame(frame: Buffer, ts_ingest: Micros, choice: StreamChoice): Parsed {
  return orRejected(() => {
    if (!isUtf8(frame)) throw new Rejection('not_json', 'not UTF-8')
    return read(parseJsonText(frame.toString('utf8')), ts_ingest, choice)
  })
}

function read(value: unknown, ts_ingest: Micros, choice: StreamChoice): Parsed {
  if (!isFields(value)) throw new Rejection('unknown_shape', 'not an object')
  const topic = value[field<WireFrame>('topic')]
  if (typeof topic !== 'string') {
    if (field<WireAnswer>('op') in value) return { kind: 'control' }
    throw new Rejection('unknown_shape', 'neither a topic nor an answer')
  }
  const { topic_class, symbol } = parseTopic(topic)
  const channel = channelOfClass(topic_class)
  if (channel === undefined || !choice.channels.includes(channel)) {
    return { kind: 'ignored', stream_class: topic_class }
  }
  const onTopic = (event: MarketEvent): MarketEvent => {
    if (event.symbol === symbol) return event
    throw new Rejection('bad_symbol', `${event.symbol} on topic ${topic}`)
  }
  const data = value[field<WireFrame>('data')]
  if (channel === 'trades' || channel === 'liquidations') {
    if (!Array.isArray(data)) throw new Rejection('bad_field', 'data: expected a list of objects')
    const readOne = channel === 'trades' ? readTrade : readLiquidation
    return readEach(
      data,
      (wire) => [onTopic(readOne(wire, ts_ingest))],
      () => ({ symbol, channel }),
    )
  }
  return {
    kind: 'events',
    events: readData(channel, value, objectOf(data), ts_ingest).map(onTopic),
  }
}

function readData(
  channel: Exclude<RecordedChannel, 'trades' | 'liquidations'>,
  frame: Fields,
  data: Fields,
  ts_ingest: Micros,
): readonly MarketEvent[] {
  switch (channel) {
    case 'book_ticker':
      return [readQuote(frame, data, ts_ingest)]
    case 'depth_events':
      return [readDepth(frame, data, ts_ingest)]
    case 'mark_price':
      return readTicker(isSnapshot(frame), frameTime(frame), data, ts_ingest)
  }
}

function readQuote(frame: Fields, wire: Fields, ts_ingest: Micros): BookTicker {
  const name = field<WireBook>
  // Until 2025 quotes were sent as deltas. That form is not supported.
  if (!isSnapshot(frame)) throw new Rejection('bad_field', 'type: expected "snapshot"')
  const bid = bestLevel(wire, name('b'))
  const ask = bestLevel(wire, name('a'))
  return {
    kind: 'book_ticker',
    exchange: EXCHANGE,
    symbol: symbolField(wire, name('s')),
    ts_exchange: engineTime(frame),
    ts_ingest,
    update_id: idField(wire, name('u')),
    best_bid: bid.price,
    bid_qty: bid.qty,
    best_ask: ask.price,
    ask_qty: ask.qty,
  }
}

/** An empty side is an empty list, or an empty text instead of the list or its numbers. */
function bestLevel(wire: Fields, name: string): QuoteSide {
  const levels = wire[name] === '' ? [] : wire[name]
  if (!Array.isArray(levels)) throw new Rejection('bad_field', `${name}: expected a list of levels`)
  const [best]: readonly unknown[] = levels
  if (best === undefined) return EMPTY_SIDE
  if (!Array.isArray(best)) {
    throw new Rejection('bad_field', `${name}: expected a list of [price, quantity]`)
  }
  return quoteSide({ price: best[0], qty: best[1] }, 'price', 'qty')
}

function readDepth(frame: Fields, wire: Fields, ts_ingest: Micros): DepthEvent {
  const name = field<WireBook>
  const final_update_id = idField(wire, name('u'))
  const is_snapshot = isSnapshot(frame)
  return {
    kind: 'depth',
    exchange: EXCHANGE,
    symbol: symbolField(wire, name('s')),
    ts_exchange: engineTime(frame),
    ts_ingest,
    depth_kind: is_snapshot ? 'snapshot' : 'diff',
    first_update_id: is_snapshot ? null : final_update_id,
    final_update_id,
    prev_final_update_id: null,
    bids: levelsField(wire, name('b')),
    asks: levelsField(wire, name('a')),
  }
}

function readTrade(wire: Fields, ts_ingest: Micros): Trade | VoidTrade {
  const name = field<WireTrade>
  const ts_exchange = millisField(wire, name('T'))
  const stamped = {
    exchange: EXCHANGE,
    symbol: symbolField(wire, name('s')),
    ts_exchange,
    ts_ingest,
    agg_trade_id: tradeNumber(wire, name('i')),
    // Before the exchange sent `seq`, only time ordered its trades.
    seq: wire[name('seq')] === undefined ? ts_exchange : idField(wire, name('seq')),
  } as const
  // A block trade is agreed off the book and only reported here, so it is not a market trade.
  const is_block_trade = flagField(wire, name('BT'))
  const amounts = tradeAmounts(wire, name('p'), name('v'), is_block_trade)
  if (amounts === undefined) return { kind: 'void_trade', ...stamped }
  const has_rpi = wire[name('RPI')] !== undefined
  return {
    kind: 'trade',
    ...stamped,
    ...amounts,
    non_rpi_qty: has_rpi ? (flagField(wire, name('RPI')) ? 0 : amounts.qty) : null,
    first_trade_id: null,
    last_trade_id: null,
    is_buyer_maker: sideOf(wire) === 'sell',
  }
}

function readLiquidation(wire: Fields, ts_ingest: Micros): Liquidation {
  const name = field<WireLiquidation>
  const qty = positiveField(wire, name('v'))
  return {
    kind: 'liquidation',
    exchange: EXCHANGE,
    symbol: symbolField(wire, name('s')),
    ts_exchange: millisField(wire, name('T')),
    ts_ingest,
    // S is the side of the position. The order that closed it is on the opposite side.
    side: sideOf(wire) === 'buy' ? 'sell' : 'buy',
    price: positiveField(wire, name('p')),
    average_price: 0,
    qty,
    filled_qty: qty,
  }
}

function sideOf(wire: Fields): 'buy' | 'sell' {
  const side = wire['S']
  if (side !== 'Buy' && side !== 'Sell') throw new Rejection('bad_field', 'S: expected Buy or Sell')
  return side === 'Buy' ? 'buy' : 'sell'
}

function isSnapshot(frame: Fields): boolean {
  const type = frame[field<WireFrame>('type')]
  if (type === 'snapshot' || type === 'delta') return type === 'snapshot'
  throw new Rejection('bad_field', 'type: expected "snapshot" or "delta"')
}

/** The matching engine's time. Books before 2023 have only the time of the frame. */
function engineTime(frame: Fields): Micros {
  const name = field<WireFrame>('cts')
  return frame[name] === undefined ? frameTime(frame) : millisField(frame, name)
}

function frameTime(frame: Fields): Micros {
  return millisField(frame, field<WireFrame>('ts'))
}

function objectOf(data: unknown): Fields {
  if (isFields(data)) return data
  throw new Rejection('bad_field', 'data: expected an object')
}
