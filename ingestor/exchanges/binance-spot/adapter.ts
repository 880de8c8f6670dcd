/** Binance spot: endpoint, subscriptions and limits. */
import type { Channel } from '#core/market.ts'
import type { TimeUnit } from '#core/time-source.ts'
import type { ExchangeAdapter, Stream, StreamChoice, StreamGroup } from '../adapter.ts'
import { parseAnswer, parseTurnover } from '../binance-rest.ts'
import {
  controlOf,
  depthClass,
  request,
  streamName,
  streamOf,
  withAffected,
} from '../binance-socket.ts'
import { depthStreamsOf, depthSymbolsOf, STANDARD_INTERVAL_MS } from '../depth-choice.ts'
import { exactMicrosField, rejected, timeField } from '../fields.ts'
import { serverTime } from '../server-time.ts'
import { parseFrame } from './parse.ts'
import { EXCHANGE } from './payloads.ts'
import { INSTRUMENTS_PATH, parseInstruments, restReaders } from './rest.ts'
import { tradeHistory } from './trade-history.ts'

const FRAME_BYTES_MAX = 1_048_576
/** The exchange's default speed of books, which has no suffix. */
const SLOW_DEPTH_MS = 1_000

const CODES: { readonly [unit in TimeUnit]: number } = { millisecond: 2, microsecond: 12 }

export const binance_spot: ExchangeAdapter = {
  ...adapterIn('millisecond'),
  in_microseconds: adapterIn('microsecond'),
}

/** Frames do not carry the unit of their times, so each unit has a separate tape code. */
function adapterIn(unit: TimeUnit): ExchangeAdapter {
  const is_fine = unit === 'microsecond'
  const readTime = is_fine ? exactMicrosField : timeField
  const readers = restReaders(readTime)
  return {
    exchange: EXCHANGE,
    tape_code: CODES[unit],
    ws_url: 'wss://stream.binance.com:9443',
    rest_url: 'https://api.binance.com',
    channels: ['book_ticker', 'trades', 'depth_events'],
    depth_intervals_ms: [STANDARD_INTERVAL_MS, SLOW_DEPTH_MS],
    limits: {
      // 1,024 are allowed. With fewer, one cut silences fewer streams.
      streams_per_socket_max: 200,
      messages_per_second_max: 5,
      streams_per_subscribe_max: 50,
      connect_attempts_per_5_min_max: 300,
      socket_life_s: 86_400,
      ping_interval_s: 20,
      frame_bytes_max: FRAME_BYTES_MAX,
    },
    rest_limits: {
      weight_per_minute_max: 6_000,
      used_weight_header: 'x-mbx-used-weight-1m',
      ...(is_fine ? { headers: { 'x-mbx-time-unit': 'MICROSECOND' } } : {}),
    },
    groups: (ws_url, symbols, choice) => groups(ws_url, symbols, choice, unit),
    opening_frames: [],
    subscribeFrame: (id, streams) => request('SUBSCRIBE', id, streams),
    unsubscribeFrame: (id, streams) => request('UNSUBSCRIBE', id, streams),
    streamOf,
    controlOf,
    parse(frame, ts_ingest, choice) {
      if (frame.length > FRAME_BYTES_MAX) {
        return rejected('too_large', `${frame.length} bytes, at most ${FRAME_BYTES_MAX}`)
      }
      const parsed = parseFrame(frame, ts_ingest, choice, readTime)
      if (parsed.kind !== 'rejected') return parsed
      return withAffected(parsed, frame, (name) => channelOfClass(name, choice))
    },
    parseRest: (path, body, ts_ingest, choice) =>
      parseAnswer(path, body, ts_ingest, choice, readers),
    // The deepest snapshot, because books of liquid pairs exceed 1,000 levels a side.
    depthSnapshot: (symbol) => ({
      path: `/api/v3/depth?symbol=${encodeURIComponent(symbol)}&limit=5000`,
      weight: 250,
    }),
    tradeHistory,
    server_time: serverTime('/api/v3/time', 'serverTime'),
    instruments_path: INSTRUMENTS_PATH,
    instruments_weight: 20,
    parseInstruments,
    turnover: { path: '/api/v3/ticker/24hr', weight: 80, parse: parseTurnover },
  }
}

/** One endpoint has all streams. Shutdown announcements arrive on every socket unrequested. */
function groups(
  ws_url: string,
  symbols: readonly string[],
  choice: StreamChoice,
  unit: TimeUnit,
): readonly StreamGroup[] {
  const streams: Stream[] = []
  const add = (channel: Channel, stream_class: string, names = symbols): void => {
    if (!choice.channels.includes(channel)) return
    for (const symbol of names) {
      streams.push({ name: streamName(symbol, stream_class), symbol, channel })
    }
  }
  add('book_ticker', 'bookTicker')
  add('trades', choice.trade_stream)
  const interval_ms = choice.depth?.interval_ms ?? STANDARD_INTERVAL_MS
  const speed = interval_ms === SLOW_DEPTH_MS ? '' : `@${interval_ms}ms`
  for (const stream of depthStreamsOf(choice)) {
    add('depth_events', depthClass(stream) + speed, depthSymbolsOf(choice, symbols))
  }
  if (streams.length === 0) return []
  const query = unit === 'microsecond' ? '?timeUnit=MICROSECOND' : ''
  return [{ url: `${ws_url.replace(/\/+$/, '')}/stream${query}`, streams }]
}

function channelOfClass(stream_class: string, choice: StreamChoice): Channel | undefined {
  if (stream_class === 'bookTicker') return 'book_ticker'
  if (stream_class === choice.trade_stream) return 'trades'
  // If diffs are recorded too, a partial book is not part of the sequence and cannot leave a gap.
  const [leading] = depthStreamsOf(choice)
  return leading !== undefined && stream_class === depthClass(leading) ? 'depth_events' : undefined
}
