/** Deribit's price indexes: subscriptions, heartbeats and limits. */
import type {
  Control,
  ExchangeAdapter,
  Parsed,
  Stream,
  StreamChoice,
  StreamGroup,
} from '../adapter.ts'
import { isFields, rejected } from '../fields.ts'
import { serverTime } from '../server-time.ts'
import { channelOf, EXCHANGE, field, INDEX_CHANNEL, parseFrame } from './parse.ts'
import { INSTRUMENTS_PATH, parseInstruments, parseRest } from './rest.ts'
import type { WireAnswer, WireHeartbeat } from './wire.ts'

const FRAME_BYTES_MAX = 65_536
const HEARTBEAT_S = 30
/** Id of the calls that keep the socket alive. Requests for streams count from 1. */
const HEARTBEAT_CALL_ID = 0

/** These change about once a second. Others (usdc_usd) may be quiet for hours. */
const BUSY_INDEXES: ReadonlySet<string> = new Set(['btc_usd', 'eth_usd'])
const BUSY_SILENCE_S_MAX = 30

/**
 * JSON-RPC's standard codes: the call is wrong, and a retry cannot help. All other codes
 * (too_many_requests, system_maintenance, unavailable, timed_out ...) are temporary. A channel that
 * does not exist is not an error.
 */
const WRONG_CALL_FROM = -32_768
const WRONG_CALL_TO = -32_000
/** A subscription costs 3,000 of 30,000 credits, which refill by 10,000 a second. */
const TRY_LATER_MS = 5_000

export const deribit: ExchangeAdapter = {
  exchange: EXCHANGE,
  tape_code: 3,
  ws_url: 'wss://www.deribit.com',
  rest_url: 'https://www.deribit.com',
  channels: ['prices'],
  limits: {
    streams_per_socket_max: 100,
    // From the credits of public/subscribe. Other calls may be six times as frequent.
    messages_per_second_max: 3,
    streams_per_subscribe_max: 100,
    connect_attempts_per_5_min_max: 60,
    // No limit is documented. A daily renewal keeps the renewal tested.
    socket_life_s: 86_400,
    ping_interval_s: HEARTBEAT_S,
    frame_bytes_max: FRAME_BYTES_MAX,
  },
  // A call costs 500 of 50,000 credits, which refill by 10,000 a second: 20 calls a second. No
  // header reports the credits left.
  rest_limits: { weight_per_minute_max: 1_200, used_weight_header: undefined },
  groups,
  opening_frames: [call(HEARTBEAT_CALL_ID, 'set_heartbeat', { interval: HEARTBEAT_S })],
  subscribeFrame: (id, streams) => call(id, 'subscribe', { channels: streams }),
  unsubscribeFrame: (id, streams) => call(id, 'unsubscribe', { channels: streams }),
  // Parses the whole frame, because there is only about one frame per second and index.
  streamOf: (frame) => channelOf(parseQuietly(frame)),
  controlOf,
  parse(frame, ts_ingest, choice) {
    if (frame.length > FRAME_BYTES_MAX) {
      return rejected('too_large', `${frame.length} bytes, at most ${FRAME_BYTES_MAX}`)
    }
    const parsed = parseFrame(frame, ts_ingest, choice)
    return parsed.kind === 'rejected' ? withAffected(parsed, frame) : parsed
  },
  parseRest,
  tradeHistory() {
    throw new Error('Deribit trades are not recorded.')
  },
  server_time: serverTime('/api/v2/public/get_time', 'result'),
  instruments_path: INSTRUMENTS_PATH,
  parseInstruments,
}

function groups(
  ws_url: string,
  symbols: readonly string[],
  choice: StreamChoice,
): readonly StreamGroup[] {
  if (!choice.channels.includes('prices') || symbols.length === 0) return []
  const streams = symbols.map((symbol): Stream => {
    const stream = { name: INDEX_CHANNEL + symbol, symbol, channel: 'prices' } as const
    return BUSY_INDEXES.has(symbol) ? { ...stream, silence_s_max: BUSY_SILENCE_S_MAX } : stream
  })
  return [{ url: `${ws_url.replace(/\/+$/, '')}/ws/api/v2`, streams }]
}

/** A frame of an unknown shape costs its stream nothing. */
function withAffected(parsed: Extract<Parsed, { kind: 'rejected' }>, frame: Buffer): Parsed {
  const channel = channelOf(parseQuietly(frame))
  const is_price = channel?.startsWith(INDEX_CHANNEL) === true
  if (parsed.reason === 'unknown_shape' || !is_price) return parsed
  return { ...parsed, affected: { symbol: channel.slice(INDEX_CHANNEL.length), channel: 'prices' } }
}

function controlOf(frame: Buffer): Control | undefined {
  const value = parseQuietly(frame)
  if (!isFields(value)) return undefined
  if (value['method'] === 'heartbeat') {
    const params = value['params']
    const type = isFields(params) ? params[field<WireHeartbeat>('type')] : undefined
    if (type !== 'test_request') return undefined
    return { kind: 'reply', text: call(HEARTBEAT_CALL_ID, 'test', {}) }
  }
  const name = field<WireAnswer>
  const id = typeof value[name('id')] === 'number' ? (value[name('id')] as number) : undefined
  const error = value[name('error')]
  if (error !== undefined) return refusalOf(error, id)
  if (id === undefined || !(name('result') in value)) return undefined
  const result = value[name('result')]
  // An unknown channel is not an error. It is missing from the answer.
  if (!Array.isArray(result)) return { kind: 'ack', id }
  return { kind: 'ack', id, accepted: result.map(String) }
}

function refusalOf(error: unknown, id: number | undefined): Control {
  const [code, message] = isFields(error) ? [error['code'], error['message']] : ['', error]
  const detail = `${String(code)}: ${String(message)}`.slice(0, 200)
  const is_wrong_call = Number(code) >= WRONG_CALL_FROM && Number(code) <= WRONG_CALL_TO
  if (is_wrong_call) return { kind: 'refused', id, detail }
  return { kind: 'turned_away', detail, retry_after_ms: TRY_LATER_MS }
}

function call(id: number, method: string, params: object): string {
  return JSON.stringify({ jsonrpc: '2.0', id, method: `public/${method}`, params })
}

function parseQuietly(frame: Buffer): unknown {
  try {
    return JSON.parse(frame.toString('utf8'))
  } catch {
    return undefined
  }
}
