/**
 * What the sockets of Binance's exchanges share: the envelope of combined streams, stream names,
 * requests and their answers. The adapters know the endpoints and interpret the payloads.
 */
import { isUtf8 } from 'node:buffer'
import type { Channel } from '#core/market.ts'
import type { Control, DepthStream, Parsed, StreamChoice } from './adapter.ts'
import { levelCountOf } from './depth-choice.ts'
import { field, type Fields, isFields, parseJsonText, Rejection } from './fields.ts'
import { createInterner } from './intern.ts'

/** A combined frame: the stream's name, lower case, around the payload. */
interface WireCombined {
  readonly stream: string
  readonly data: unknown
}

const STREAM_PREFIX = Buffer.from('{"stream":"')
/** Its length. V8 knows the range of a literal, which makes the loops below twice as fast. */
const STREAM_PREFIX_BYTES = 11
const STREAM_NAME_BYTES_MAX = 256
const QUOTE = 0x22
const BACKSLASH = 0x5c

export function streamName(symbol: string, stream_class: string): string {
  return `${symbol.toLowerCase()}@${stream_class}`
}

/** `depth`, `depth20`. */
export function depthClass(stream: DepthStream): string {
  return `depth${levelCountOf(stream) ?? ''}`
}

/** The depth stream of a stream's name. A frame without a name counts as a diff. */
export function depthStreamOf(stream: string | undefined): DepthStream {
  const level_count = /@depth(5|10|20)(?:@|$)/.exec(stream ?? '')?.[1]
  return level_count === undefined ? 'diff' : (`partial${level_count}` as DepthStream)
}

/** True if trades of this class are recorded. The other class is ignored. */
export function wantsTrades(choice: StreamChoice, stream: StreamChoice['trade_stream']): boolean {
  return choice.trade_stream === stream && choice.channels.includes('trades')
}

export function request(method: string, id: number, streams: readonly string[]): string {
  return JSON.stringify({ method, params: streams, id })
}

/** The stream's name, from the start of a combined frame alone. */
export function streamOf(frame: Buffer): string | undefined {
  const start = STREAM_PREFIX_BYTES
  if (frame.length < start) return undefined
  for (let at = 0; at < start; at++) if (frame[at] !== STREAM_PREFIX[at]) return undefined
  const limit = Math.min(frame.length, start + STREAM_NAME_BYTES_MAX)
  for (let at = start; at < limit; at++) {
    if (frame[at] === BACKSLASH) at++
    else if (frame[at] === QUOTE) return internStream(frame, start, at)
  }
  return undefined
}

/** Stream names as text. JSON allows \u escapes, so a name with a backslash is parsed as JSON. */
const internStream = createInterner((bytes, start, end) => {
  const text = bytes.toString('utf8', start, end)
  if (!text.includes('\\')) return text
  try {
    return JSON.parse(`"${text}"`) as string
  } catch {
    return undefined
  }
})

/** A frame's payload, and its stream if it is a combined frame. Throws a Rejection. */
export function unwrap(frame: Buffer): {
  readonly stream: string | undefined
  readonly payload: unknown
} {
  if (!isUtf8(frame)) throw new Rejection('not_json', 'not UTF-8')
  const value = parseJsonText(frame.toString('utf8'))
  const name = field<WireCombined>
  const stream = isFields(value) ? value[name('stream')] : undefined
  if (!isFields(value) || typeof stream !== 'string' || !(name('data') in value)) {
    return { stream: undefined, payload: value }
  }
  return { stream, payload: value[name('data')] }
}

/** The answer to one of our requests: `{"result":null,"id":1}` or an error object. */
export function isAnswer(payload: Fields): boolean {
  return 'result' in payload || 'error' in payload || ('code' in payload && 'msg' in payload)
}

/**
 * Adds the stream that lost an event by a rejected frame, if its class is recorded. A frame of an
 * unknown shape costs its stream nothing.
 */
export function withAffected(
  parsed: Extract<Parsed, { kind: 'rejected' }>,
  frame: Buffer,
  channelOfClass: (stream_class: string) => Channel | undefined,
): Parsed {
  if (parsed.reason === 'unknown_shape') return parsed
  const [name = '', stream_class = ''] = streamOf(frame)?.split('@') ?? []
  const channel = channelOfClass(stream_class)
  if (channel === undefined) return parsed
  return { ...parsed, affected: { symbol: symbolIn(frame, name), channel } }
}

/** The symbol as in the payload, because the stream's name is in lower case. */
function symbolIn(frame: Buffer, stream_symbol: string): string {
  const value = parseQuietly(frame)
  const payload = isFields(value) ? value['data'] : undefined
  const symbol = isFields(payload) ? payload['s'] : undefined
  const is_named = typeof symbol === 'string' && symbol.toLowerCase() === stream_symbol
  return is_named ? symbol : stream_symbol.toUpperCase()
}

export function controlOf(frame: Buffer): Control | undefined {
  const value = parseQuietly(frame)
  if (!isFields(value)) return undefined
  const inner = value['data'] ?? value
  if (isFields(inner) && inner['e'] === 'serverShutdown') return { kind: 'shutdown' }
  if (isFields(inner) && inner['e'] === 'contractInfo') return { kind: 'listing_changed' }
  const id = typeof value['id'] === 'number' ? value['id'] : undefined
  const error = value['error'] ?? (typeof value['code'] === 'number' ? value : undefined)
  if (error !== undefined) return { kind: 'refused', id, detail: describeRefusal(error) }
  return id !== undefined && 'result' in value ? { kind: 'ack', id } : undefined
}

function parseQuietly(frame: Buffer): unknown {
  try {
    return JSON.parse(frame.toString('utf8'))
  } catch {
    return undefined
  }
}

function describeRefusal(error: unknown): string {
  const text = isFields(error) ? `${String(error['code'])}: ${String(error['msg'])}` : String(error)
  return text.slice(0, 200)
}
