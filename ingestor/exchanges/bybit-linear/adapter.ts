/** Bybit's linear contracts (v5): endpoint, subscriptions and limits. */
import type {
  Control,
  ExchangeAdapter,
  Parsed,
  Stream,
  StreamChoice,
  StreamGroup,
} from '../adapter.ts'
import { depthStreamsOf, depthSymbolsOf, STANDARD_INTERVAL_MS } from '../depth-choice.ts'
import { field, type Fields, isFields, rejected } from '../fields.ts'
import { createInterner } from '../intern.ts'
import { serverTime } from '../server-time.ts'
import { parseFrame } from './parse.ts'
import {
  INSTRUMENTS_PATH,
  nextInstrumentsPath,
  parseInstruments,
  parseRest,
  parseTurnover,
  TURNOVER_PATH,
} from './rest.ts'
import {
  channelOfClass,
  EXCHANGE,
  parseTopic,
  RECORDED_CHANNELS,
  type RecordedChannel,
  topicName,
} from './topics.ts'
import type { WireAnswer, WireFrame } from './wire.ts'

const FRAME_BYTES_MAX = 1_048_576
const TOPIC_PREFIX = Buffer.from('{"topic":"')
const TOPIC_NAME_BYTES_MAX = 256
const QUOTE = 0x22
const BACKSLASH = 0x5c
/** An unchanged quote is sent again every 3 s. */
const QUOTE_SILENCE_S_MAX = 30

export const bybit_linear: ExchangeAdapter = {
  exchange: EXCHANGE,
  tape_code: 4,
  ws_url: 'wss://stream.bybit.com',
  rest_url: 'https://api.bybit.com',
  channels: RECORDED_CHANNELS,
  depth_streams: ['diff'],
  // Books come every 20 ms, which cannot be chosen. The standard value represents it.
  depth_intervals_ms: [STANDARD_INTERVAL_MS],
  limits: {
    // The topics of a socket may have 21,000 characters in total, about 700 names. With fewer, one
    // cut silences fewer streams.
    streams_per_socket_max: 100,
    // No limit is documented. Bursts of 200 requests were accepted.
    messages_per_second_max: 20,
    // Spot refuses more ("args size >10"). Linear may do the same one day.
    streams_per_subscribe_max: 10,
    connect_attempts_per_5_min_max: 400,
    // No limit is documented. A daily renewal keeps the renewal tested.
    socket_life_s: 86_400,
    ping_interval_s: 20,
    frame_bytes_max: FRAME_BYTES_MAX,
  },
  // 600 requests of any kind in five seconds; beyond that 403 and a ban of ten minutes.
  rest_limits: {
    weight_per_minute_max: 3_600,
    used_weight_header: undefined,
    pause_statuses: [403],
  },
  groups,
  opening_frames: [],
  keepalive: { text: '{"op":"ping"}', interval_s: 20 },
  subscribeFrame: (id, streams) => request('subscribe', id, streams),
  unsubscribeFrame: (id, streams) => request('unsubscribe', id, streams),
  streamOf,
  controlOf,
  parse(frame, ts_ingest, choice) {
    if (frame.length > FRAME_BYTES_MAX) {
      return rejected('too_large', `${frame.length} bytes, at most ${FRAME_BYTES_MAX}`)
    }
    const parsed = parseFrame(frame, ts_ingest, choice)
    return parsed.kind === 'rejected' ? withAffected(parsed, frame) : parsed
  },
  parseRest,
  trade_ids: 'loose',
  tradeHistory() {
    throw new Error('Bybit has no trade ids by which to request trades.')
  },
  server_time: serverTime('/v5/market/time', 'time'),
  instruments_path: INSTRUMENTS_PATH,
  nextInstrumentsPath,
  parseInstruments,
  turnover: { path: TURNOVER_PATH, weight: 1, parse: parseTurnover },
}

function groups(
  ws_url: string,
  symbols: readonly string[],
  choice: StreamChoice,
): readonly StreamGroup[] {
  const streams = RECORDED_CHANNELS.filter((channel) => isWanted(channel, choice)).flatMap(
    (channel) => {
      const names = channel === 'depth_events' ? depthSymbolsOf(choice, symbols) : symbols
      return names.map((symbol): Stream => ({
        name: topicName(channel, symbol),
        symbol,
        channel,
        ...(channel === 'book_ticker' ? { silence_s_max: QUOTE_SILENCE_S_MAX } : {}),
        ...(channel === 'liquidations' ? { is_rare: true } : {}),
      }))
    },
  )
  if (streams.length === 0) return []
  return [{ url: `${ws_url.replace(/\/+$/, '')}/v5/public/linear`, streams }]
}

/** Books exist only as diffs, at a fixed speed. */
function isWanted(channel: RecordedChannel, choice: StreamChoice): boolean {
  if (channel === 'depth_events') return depthStreamsOf(choice).includes('diff')
  return choice.channels.includes(channel)
}

function request(op: 'subscribe' | 'unsubscribe', id: number, args: readonly string[]): string {
  return JSON.stringify({ req_id: String(id), op, args })
}

/** A frame of an unknown shape costs its stream nothing. */
function withAffected(parsed: Extract<Parsed, { kind: 'rejected' }>, frame: Buffer): Parsed {
  const topic = parsed.reason === 'unknown_shape' ? undefined : streamOf(frame)
  if (topic === undefined) return parsed
  const { topic_class, symbol } = parseTopic(topic)
  const channel = channelOfClass(topic_class)
  return channel === undefined ? parsed : { ...parsed, affected: { symbol, channel } }
}

const internTopic = createInterner((bytes, start, end) => {
  const text = bytes.toString('utf8', start, end)
  return text.includes('\\') ? undefined : text
})

/** The exchange writes the topic first. If it does not, the frame is parsed. */
function streamOf(frame: Buffer): string | undefined {
  const start = TOPIC_PREFIX.length
  if (frame.compare(TOPIC_PREFIX, 0, start, 0, Math.min(start, frame.length)) !== 0) {
    return frame.includes('"topic"') ? topicOf(parseQuietly(frame)) : undefined
  }
  const limit = Math.min(frame.length, start + TOPIC_NAME_BYTES_MAX)
  for (let at = start; at < limit; at++) {
    if (frame[at] === BACKSLASH) return topicOf(parseQuietly(frame))
    if (frame[at] === QUOTE) return internTopic(frame, start, at)
  }
  return undefined
}

function topicOf(value: unknown): string | undefined {
  const topic = isFields(value) ? value[field<WireFrame>('topic')] : undefined
  return typeof topic === 'string' ? topic : undefined
}

function controlOf(frame: Buffer): Control | undefined {
  const value = parseQuietly(frame)
  if (!isFields(value)) return undefined
  const name = field<WireAnswer>
  const op = value[name('op')]
  if (op !== 'subscribe' && op !== 'unsubscribe') return undefined
  const id = idOf(value)
  if (value[name('success')] === true) return id === undefined ? undefined : { kind: 'ack', id }
  const detail = String(value[name('ret_msg')]).slice(0, 200)
  // If one topic of a batch is refused, the others may be subscribed.
  return { kind: 'refused', id, detail, is_held: detail.includes('already subscribed') }
}

/** The id of our request; undefined if the answer has none. */
function idOf(answer: Fields): number | undefined {
  const text = answer[field<WireAnswer>('req_id')]
  return typeof text === 'string' && /^\d{1,15}$/.test(text) ? Number(text) : undefined
}

function parseQuietly(frame: Buffer): unknown {
  try {
    return JSON.parse(frame.toString('utf8'))
  } catch {
    return undefined
  }
}
