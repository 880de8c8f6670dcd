/** Parses one WebSocket frame of Binance spot into market events. */
import type { MarketEvent } from '#core/market.ts'
import { isSymbolName } from '#core/symbols.ts'
import type { Micros } from '#core/time.ts'
import type { Parsed, StreamChoice } from '../adapter.ts'
import { depthStreamOf, isAnswer, unwrap, wantsTrades } from '../binance-socket.ts'
import { depthStreamsOf } from '../depth-choice.ts'
import { field, type Fields, isFields, orRejected, Rejection, symbolField } from '../fields.ts'
import {
  readAggTrade,
  readBook,
  readBookTicker,
  readDepthUpdate,
  type ReadTime,
  readTrade,
} from './payloads.ts'
import type { WireAggTrade, WireBook, WireBookTicker } from './wire.ts'

/** Event types (`e`) of market data that we do not record. */
const IGNORED_CLASSES = new Set([
  'kline',
  '24hrTicker',
  '24hrMiniTicker',
  '1hTicker',
  '4hTicker',
  '1dTicker',
  'avgPrice',
])

export function parseFrame(
  frame: Buffer,
  ts_ingest: Micros,
  choice: StreamChoice,
  readTime: ReadTime,
): Parsed {
  return orRejected(() => {
    const { stream, payload } = unwrap(frame)
    if (Array.isArray(payload)) return readList(payload)
    if (!isFields(payload)) throw new Rejection('unknown_shape', 'not an object')
    const event_type = payload['e']
    if (event_type === undefined) return readUntyped(payload, stream, ts_ingest, choice)
    if (typeof event_type !== 'string') throw new Rejection('unknown_shape', 'no event type (e)')
    return readTyped(event_type, payload, ts_ingest, choice, readTime)
  })
}

/** Quotes and partial books have no type and are recognized by their fields. */
function readUntyped(
  payload: Fields,
  stream: string | undefined,
  ts_ingest: Micros,
  choice: StreamChoice,
): Parsed {
  if (isAnswer(payload)) return { kind: 'control' }
  if (field<WireBookTicker>('u') in payload) {
    if (!choice.channels.includes('book_ticker')) return ignored('bookTicker')
    return event(readBookTicker(payload, ts_ingest))
  }
  if (field<WireBook>('lastUpdateId') in payload) {
    return readPartialBook(payload, stream, ts_ingest, choice)
  }
  throw new Rejection('unknown_shape', 'no event type (e), and no quote or book')
}

function readTyped(
  event_type: string,
  payload: Fields,
  ts_ingest: Micros,
  choice: StreamChoice,
  readTime: ReadTime,
): Parsed {
  switch (event_type) {
    case 'aggTrade': {
      if (!wantsTrades(choice, 'aggTrade')) return ignored(event_type)
      const symbol = symbolField(payload, field<WireAggTrade>('s'))
      return event(readAggTrade(payload, symbol, ts_ingest, readTime))
    }
    case 'trade':
      if (!wantsTrades(choice, 'trade')) return ignored(event_type)
      return event(readTrade(payload, ts_ingest, readTime))
    case 'depthUpdate':
      if (!depthStreamsOf(choice).includes('diff')) return ignored(event_type)
      return event(readDepthUpdate(payload, ts_ingest, readTime))
    case 'serverShutdown':
      return { kind: 'control' }
  }
  if (IGNORED_CLASSES.has(event_type)) return ignored(event_type)
  throw new Rejection('unknown_shape', `unknown event type ${event_type}`)
}

function readPartialBook(
  payload: Fields,
  stream: string | undefined,
  ts_ingest: Micros,
  choice: StreamChoice,
): Parsed {
  const depth_stream = depthStreamOf(stream)
  const symbol = stream?.split('@')[0]?.toUpperCase() ?? ''
  if (depth_stream === 'diff' || !isSymbolName(symbol)) {
    throw new Rejection('bad_symbol', 'a partial book without the name of its stream')
  }
  if (!depthStreamsOf(choice).includes(depth_stream)) return ignored(depth_stream)
  return event(readBook(payload, symbol, 'partial', ts_ingest))
}

/** `!miniTicker@arr` and similar: a list of one class. */
function readList(payload: readonly unknown[]): Parsed {
  const first: unknown = payload[0]
  const event_type = isFields(first) ? first['e'] : undefined
  if (typeof event_type === 'string' && IGNORED_CLASSES.has(event_type)) return ignored(event_type)
  throw new Rejection('unknown_shape', 'a list of an unknown class')
}

function event(made: MarketEvent): Parsed {
  return { kind: 'events', events: [made] }
}

function ignored(stream_class: string): Parsed {
  return { kind: 'ignored', stream_class }
}
