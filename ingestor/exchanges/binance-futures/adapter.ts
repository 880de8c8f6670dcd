/** Binance USD-M futures: where its streams are, how they are asked for, what it allows. */
import type { Control, ExchangeAdapter, Parsed, Stream, StreamChoice, StreamGroup } from '../adapter.ts'
import { isFields, rejected } from '../fields.ts'
import { createInterner } from '../intern.ts'
import { parseFast } from './fast.ts'
import { EXCHANGE, parseFrame } from './parse.ts'
import { INSTRUMENTS_PATH, parseInstruments, parseRest } from './rest.ts'
import { tradeHistory } from './trade-history.ts'

const FRAME_BYTES_MAX = 1_048_576
const STREAM_PREFIX = Buffer.from('{"stream":"')
const STREAM_NAME_BYTES_MAX = 256
const QUOTE = 0x22
const BACKSLASH = 0x5c

export const binance_futures: ExchangeAdapter = {
  exchange: EXCHANGE,
  tape_code: 1,
  limits: {
    // The documents say 1,024, an older copy 200. Crowded sockets lag and are cut, and what one
    // cut silences stays small: half of the smaller figure.
    streams_per_socket_max: 100,
    messages_per_second_max: 10,
    streams_per_subscribe_max: 50,
    connect_attempts_per_5_min_max: 300,
    socket_life_s: 86_400,
    ping_interval_s: 180,
    frame_bytes_max: FRAME_BYTES_MAX,
  },
  rest_limits: { weight_per_minute_max: 2_400, used_weight_header: 'x-mbx-used-weight-1m' },
  groups,
  subscribeFrame: (id, streams) => request('SUBSCRIBE', id, streams),
  unsubscribeFrame: (id, streams) => request('UNSUBSCRIBE', id, streams),
  streamOf,
  controlOf,
  parse(frame, ts_ingest, choice) {
    if (frame.length > FRAME_BYTES_MAX) {
      return rejected('too_large', `${frame.length} bytes, at most ${FRAME_BYTES_MAX}`)
    }
    const parsed = parseFast(frame, ts_ingest, choice) ?? parseFrame(frame, ts_ingest, choice)
    return parsed.kind === 'rejected' ? withSpoiled(parsed, frame, choice) : parsed
  },
  parseRest,
  tradeHistory,
  instruments_path: INSTRUMENTS_PATH,
  parseInstruments,
}

/**
 * Since 2026-04-23 the endpoints deliver one set of stream classes each, and acknowledge the
 * others without ever delivering them: quotes and raw trades are on /public, aggregated trades
 * on /market.
 */
function groups(
  ws_url: string,
  symbols: readonly string[],
  choice: StreamChoice,
): readonly StreamGroup[] {
  const base = ws_url.replace(/\/+$/, '')
  const public_streams: Stream[] = []
  const market_streams: Stream[] = []
  if (choice.channels.includes('book_ticker')) {
    for (const symbol of symbols) {
      const name = streamName(symbol, 'bookTicker')
      public_streams.push({ name, symbol, channel: 'book_ticker' })
    }
  }
  if (choice.channels.includes('trades')) {
    const streams = choice.trade_stream === 'trade' ? public_streams : market_streams
    for (const symbol of symbols) {
      streams.push({ name: streamName(symbol, choice.trade_stream), symbol, channel: 'trades' })
    }
  }
  return [
    { url: `${base}/public/stream`, streams: public_streams },
    { url: `${base}/market/stream`, streams: market_streams },
  ].filter((group) => group.streams.length > 0)
}

/** A frame of a kind that we do not know takes nothing from its stream. */
function withSpoiled(
  parsed: Extract<Parsed, { kind: 'rejected' }>,
  frame: Buffer,
  choice: StreamChoice,
): Parsed {
  if (parsed.reason === 'unknown_shape') return parsed
  const [name = '', stream_class] = streamOf(frame)?.split('@') ?? []
  const symbol = name.toUpperCase()
  if (stream_class === 'bookTicker') return { ...parsed, spoiled: { symbol, channel: 'book_ticker' } }
  if (stream_class !== choice.trade_stream) return parsed
  return { ...parsed, spoiled: { symbol, channel: 'trades' } }
}

function streamName(symbol: string, stream_class: string): string {
  return `${symbol.toLowerCase()}@${stream_class}`
}

function request(method: string, id: number, streams: readonly string[]): string {
  return JSON.stringify({ method, params: streams, id })
}

/** Stream names as text; \u escapes are legal JSON, so what has a backslash goes the long way. */
const internStream = createInterner((bytes, start, end) => {
  const text = bytes.toString('utf8', start, end)
  if (!text.includes('\\')) return text
  try {
    return JSON.parse(`"${text}"`) as string
  } catch {
    return undefined
  }
})

function streamOf(frame: Buffer): string | undefined {
  const start = STREAM_PREFIX.length
  if (frame.length < start) return undefined
  for (let at = 0; at < start; at++) if (frame[at] !== STREAM_PREFIX[at]) return undefined
  const limit = Math.min(frame.length, start + STREAM_NAME_BYTES_MAX)
  for (let at = start; at < limit; at++) {
    if (frame[at] === BACKSLASH) at++
    else if (frame[at] === QUOTE) return internStream(frame, start, at)
  }
  return undefined
}

function controlOf(frame: Buffer): Control | undefined {
  let value: unknown
  try {
    value = JSON.parse(frame.toString('utf8'))
  } catch {
    return undefined
  }
  if (!isFields(value)) return undefined
  const inner = value['data'] ?? value
  if (isFields(inner) && inner['e'] === 'serverShutdown') return { kind: 'shutdown' }
  const id = typeof value['id'] === 'number' ? value['id'] : undefined
  const error = value['error'] ?? (typeof value['code'] === 'number' ? value : undefined)
  if (error !== undefined) return { kind: 'refused', id, detail: describeRefusal(error) }
  return id !== undefined && 'result' in value ? { kind: 'ack', id } : undefined
}

function describeRefusal(error: unknown): string {
  const text = isFields(error) ? `${String(error['code'])}: ${String(error['msg'])}` : String(error)
  return text.slice(0, 200)
}
