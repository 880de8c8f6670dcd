/**
 * Reads facts from a recorded frame of Binance, Deribit (index prices) or Bybit: its stream, its
 * symbol and the decimals of its numbers. Frames may have the combined-stream wrapper. Nothing here
 * checks whether a frame is correct: a recording keeps what was received.
 */
import type { TimeUnit } from '#core/time-source.ts'
import { fromMillis, type Micros, micros } from '#core/time.ts'
import { readTopicFrame, topicId } from '../bybit/topic-frame.ts'
import { readIndexFrame } from '../deribit/index-channel.ts'

/** Largest value that is exact in microseconds; larger values are not times. */
const TIME_MAX: { readonly [unit in TimeUnit]: number } = {
  millisecond: Number.MAX_SAFE_INTEGER / 1_000,
  microsecond: Number.MAX_SAFE_INTEGER,
}

type Fields = Readonly<Record<string, unknown>>

/** Largest number of decimals seen in a symbol's prices and quantities; undefined before any. */
export interface Decimals {
  price: number | undefined
  qty: number | undefined
}

export interface FrameFacts {
  /** The stream's name, derived from the payload if the frame has no wrapper. */
  readonly stream: string
  /** The exchange's name for the symbol. */
  readonly symbol: string
  readonly wrapped: boolean
  readonly payload: Fields
}

/** Undefined if the frame belongs to no stream: not JSON, an acknowledgement, an unknown shape. */
export function readFrame(text: string): FrameFacts | undefined {
  const value = parseObject(text)
  if (value === undefined) return undefined
  const index = readIndexFrame(value)
  if (index !== undefined) {
    return { stream: index.channel, symbol: index.name, wrapped: false, payload: value }
  }
  const topic = readTopicFrame(value)
  if (topic !== undefined) {
    return { stream: topic.topic, symbol: topic.symbol, wrapped: false, payload: topic.payload }
  }
  const { stream, data } = value
  const wrapped = typeof stream === 'string' && isFields(data)
  const payload = wrapped ? data : value
  const symbol = symbolOf(payload)
  const name = wrapped ? stream : nameOf(payload, symbol)
  if (name === undefined) return undefined
  return { stream: name, symbol: symbol ?? symbolOfStream(name), wrapped, payload }
}

const WRAPPED = /^\{"stream":"([^"\\]+)","data":\{/
/** The stream of a Binance frame or the topic of a Bybit frame. */
const NAMED = /^\{"(?:stream|topic)":"([^"\\]+)"/

/**
 * The stream of a frame. A frame that is corrupt after its stream's name still belongs to that
 * stream: sent over another socket, it would arrive before or after its neighbours.
 */
export function streamOf(text: string): string | undefined {
  return NAMED.exec(text)?.[1] ?? readFrame(text)?.stream
}

/**
 * A frame without its wrapper. A payload is serialized again if its wrapper is not in Binance's
 * form. A corrupt frame cannot be split: it is sent as it is, wrapper included.
 */
export function unwrap(text: string): { readonly payload: string; readonly wrapped: boolean } {
  const match = WRAPPED.exec(text)
  if (match !== null) {
    return {
      payload: text.endsWith('}') ? text.slice(match[0].length - 1, -1) : text,
      wrapped: true,
    }
  }
  const frame = readFrame(text)
  if (frame === undefined) return { payload: text, wrapped: NAMED.test(text) }
  if (!frame.wrapped) return { payload: text, wrapped: false }
  return { payload: JSON.stringify(frame.payload), wrapped: true }
}

// The quote before the letter excludes "U" and "pu"; the digit excludes the prices in "a".
const ID_FIELDS = {
  aggTrade: /"a":(\d+)/,
  trade: /"t":(\d+)/,
  // Of a quote or a depth update; spot's partial books have lastUpdateId.
  update: /"(?:u|lastUpdateId)":(\d+)/,
} as const

const INDEX_TIME = /"channel":"deribit_price_index\..*"timestamp":(\d+)/

/** The id that the frame's stream counts by, or an index price's time; 0 if there is neither. */
export function idOf(text: string): number {
  const index_time = INDEX_TIME.exec(text)?.[1]
  if (index_time !== undefined) return Number(index_time)
  const topic_id = topicId(text)
  if (topic_id !== undefined) return topic_id
  const event = /"e":"(aggTrade|trade)"/.exec(text)?.[1] as 'aggTrade' | 'trade' | undefined
  return Number(ID_FIELDS[event ?? 'update'].exec(text)?.[1] ?? 0)
}

/** Raises `seen` to the decimals of one frame's or snapshot's prices and quantities. */
export function noteDecimals(payload: Fields, seen: Decimals): void {
  const note = (price: unknown, qty: unknown): void => {
    seen.price = most(seen.price, price)
    seen.qty = most(seen.qty, qty)
  }
  for (const side of [payload['b'], payload['a'], payload['bids'], payload['asks']]) {
    if (!Array.isArray(side)) continue
    for (const level of side as readonly unknown[]) {
      if (Array.isArray(level)) note(level[0], level[1])
    }
  }
  const event = payload['e']
  if (event === 'aggTrade' || event === 'trade') note(payload['p'], payload['q'])
  // Spot's quotes have no event type.
  if (event === 'bookTicker' || event === undefined) {
    note(payload['b'], payload['B'])
    note(payload['a'], payload['A'])
  }
}

/** The matching engine's time, else the event's; undefined if there is neither. */
export function eventTime(payload: Fields, unit: TimeUnit): Micros | undefined {
  const value = payload['T'] ?? payload['E']
  const is_time = typeof value === 'number' && Number.isSafeInteger(value) && value > 0
  if (!is_time || value >= TIME_MAX[unit]) return undefined
  return unit === 'microsecond' ? micros(value) : fromMillis(value)
}

export function parseObject(text: string): Fields | undefined {
  try {
    const value: unknown = JSON.parse(text)
    return isFields(value) ? value : undefined
  } catch {
    return undefined
  }
}

function isFields(value: unknown): value is Fields {
  return typeof value === 'object' && value !== null && !Array.isArray(value)
}

function symbolOf(payload: Fields): string | undefined {
  const order = payload['o']
  const name = payload['s'] ?? (isFields(order) ? order['s'] : undefined)
  return typeof name === 'string' ? name : undefined
}

function symbolOfStream(stream: string): string {
  return stream.split('@')[0]!.toUpperCase()
}

const STREAM_CLASS: Readonly<Record<string, string>> = {
  depthUpdate: 'depth',
  markPriceUpdate: 'markPrice',
  '24hrTicker': 'ticker',
  '24hrMiniTicker': 'miniTicker',
}

function nameOf(payload: Fields, symbol: string | undefined): string | undefined {
  if (symbol === undefined) return undefined
  const event = payload['e']
  // Spot's bookTicker is the one payload without an event type.
  const is_spot_quote = event === undefined && 'B' in payload && 'A' in payload
  if (is_spot_quote) return `${symbol.toLowerCase()}@bookTicker`
  if (typeof event !== 'string') return undefined
  const kline = payload['k']
  const interval = isFields(kline) ? `_${String(kline['i'])}` : ''
  return `${symbol.toLowerCase()}@${STREAM_CLASS[event] ?? event}${interval}`
}

/** The larger number of decimals; ignores text that is not a decimal number. */
function most(seen: number | undefined, value: unknown): number | undefined {
  if (typeof value !== 'string') return seen
  const match = /^\d+(?:\.(\d{1,40}))?(?:[eE]([+-]?\d{1,2}))?$/.exec(value)
  if (match === null) return seen
  const [, fraction = '', exponent = '0'] = match
  return Math.max(seen ?? 0, fraction.length - Number(exponent))
}
