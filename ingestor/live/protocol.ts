/** What a client may send: one JSON message per frame. docs/live.md describes it. */
import { type Interval, INTERVALS } from '#core/clusters/intervals.ts'
import { isSymbolName } from '#core/symbols.ts'
import { isLiveChannel, LIVE_CHANNELS, type LiveChannel } from './channels.ts'
import { type Cursor, cursorFrom } from './cursor.ts'
import { Fault } from './fault.ts'

export const MESSAGE_BYTES_MAX = 16 * 1024
const BIN_MAX = 1_000_000
const BARS_FIELDS = ['interval', 'bin', 'threshold']
/** Of a query that names streams. */
export const STREAM_PARAMETERS = ['channel', 'symbol', 'exchange', ...BARS_FIELDS]
const STREAM_FIELDS = ['op', 'id', 'channels', 'symbols', ...STREAM_PARAMETERS]
const SUBSCRIBE_FIELDS = [...STREAM_FIELDS, 'resume']

export interface StreamsWanted {
  readonly channels: readonly LiveChannel[]
  readonly symbols: readonly string[]
  readonly exchange: string | undefined
  /** Used for the channel clusters. */
  readonly bars: BarsAsked
}

/** Which footprint bars, and when to be told of them. */
export interface BarsAsked {
  readonly interval: Interval
  readonly bin: number | 'auto'
  /** Base asset; 0: every change. */
  readonly threshold: number
}

export type Request = { readonly id: string | number | undefined } & (
  | ({ readonly op: 'subscribe'; readonly resume: Cursor | undefined } & StreamsWanted)
  | ({ readonly op: 'unsubscribe' } & StreamsWanted)
  | { readonly op: 'ping' }
)

/** Parses a message. Throws a Fault that says what is wrong. */
export function parseRequest(text: string): Request {
  const message = parseObject(text)
  const id = idOf(message['id'])
  const { op } = message
  if (op === 'ping') {
    requireKnown(Object.keys(message), ['op', 'id'])
    return { op, id }
  }
  if (op !== 'subscribe' && op !== 'unsubscribe') {
    throw new Fault('bad_message', '"op" must be subscribe, unsubscribe or ping.')
  }
  requireKnown(Object.keys(message), op === 'subscribe' ? SUBSCRIBE_FIELDS : STREAM_FIELDS)
  const wanted = {
    channels: listOf(message['channel'] ?? message['channels']).map(channelOf),
    symbols: listOf(message['symbol'] ?? message['symbols']).map(symbolOf),
    exchange: exchangeOf(message['exchange']),
    bars: barsOf(message),
  }
  if (wanted.channels.length === 0) throw new Fault('bad_message', 'Name a "channel".')
  if (wanted.symbols.length === 0) throw new Fault('bad_message', 'Name a "symbol".')
  if (op === 'unsubscribe') return { op, id, ...wanted }
  return { op, id, ...wanted, resume: resumeOf(message['resume']) }
}

/** The id of a malformed message, so that the error can name it. */
export function idIn(text: string): string | number | undefined {
  try {
    return idOf(parseObject(text)['id'])
  } catch {
    return undefined
  }
}

/** A misspelled cursor would begin a stream at its newest message, and nobody would notice. */
export function requireKnown(names: readonly string[], known: readonly string[]): void {
  const unknown = names.find((name) => !known.includes(name))
  if (unknown === undefined) return
  const shown = JSON.stringify(unknown.slice(0, 64))
  throw new Fault('bad_message', `${shown} is not known here. Allowed: ${known.join(', ')}.`)
}

export function channelOf(text: unknown): LiveChannel {
  if (isLiveChannel(text)) return text
  const shown = JSON.stringify(String(text).slice(0, 64))
  throw new Fault('unknown_channel', `${shown} is no channel: ${LIVE_CHANNELS.join(', ')}.`)
}

/** From a message or a query: a field that is missing has its default. */
export function barsOf(fields: Readonly<Record<string, unknown>>): BarsAsked {
  const { interval = '1m', bin = 'auto', threshold = 0 } = fields
  const known = INTERVALS.find((name) => name === interval)
  if (known === undefined) {
    throw new Fault('bad_message', `"interval" must be one of ${INTERVALS.join(', ')}.`)
  }
  const ticks = bin === 'auto' ? bin : Number(bin)
  if (ticks !== 'auto' && !(Number.isInteger(ticks) && ticks >= 1 && ticks <= BIN_MAX)) {
    throw new Fault('bad_message', `"bin" must be auto, or whole ticks from 1 to ${BIN_MAX}.`)
  }
  const quantity = Number(threshold)
  if (!(quantity >= 0 && quantity < Infinity)) {
    throw new Fault('bad_message', '"threshold" must be a quantity of the base asset, 0 or more.')
  }
  return { interval: known, bin: ticks, threshold: quantity }
}

export function symbolOf(text: unknown): string {
  if (typeof text === 'string' && isSymbolName(text)) return text
  const shown = JSON.stringify(String(text).slice(0, 64))
  throw new Fault('unknown_symbol', `There is no symbol ${shown}.`)
}

function parseObject(text: string): Readonly<Record<string, unknown>> {
  let value: unknown
  try {
    value = JSON.parse(text)
  } catch {
    throw new Fault('bad_message', 'The message is not JSON.')
  }
  if (typeof value === 'object' && value !== null && !Array.isArray(value)) {
    return value as Readonly<Record<string, unknown>>
  }
  throw new Fault('bad_message', 'The message is not a JSON object.')
}

function idOf(value: unknown): string | number | undefined {
  if (value === undefined || Number.isSafeInteger(value)) return value as number | undefined
  if (typeof value === 'string' && value.length <= 64) return value
  throw new Fault('bad_message', '"id" must be a whole number, or text of up to 64 characters.')
}

function listOf(value: unknown): readonly unknown[] {
  if (value === undefined) return []
  return [...new Set(Array.isArray(value) ? value : [value])]
}

function exchangeOf(value: unknown): string | undefined {
  if (value === undefined || typeof value === 'string') return value
  throw new Fault('bad_message', '"exchange" must be text.')
}

function resumeOf(value: unknown): Cursor | undefined {
  if (value === undefined) return undefined
  const cursor = cursorFrom(value)
  if (cursor !== undefined) return cursor
  throw new Fault('bad_cursor', '"resume" must be {"epoch", "seq"} of a message.')
}
