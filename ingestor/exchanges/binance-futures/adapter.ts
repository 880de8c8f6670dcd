/** Binance USD-M futures: endpoints, subscriptions and limits. */
import type { Channel } from '#core/market.ts'
import type { ExchangeAdapter, Stream, StreamChoice, StreamGroup } from '../adapter.ts'
import { parseTurnover } from '../binance-rest.ts'
import {
  controlOf,
  depthClass,
  request,
  streamName,
  streamOf,
  withAffected,
} from '../binance-socket.ts'
import { depthStreamsOf, depthSymbolsOf, STANDARD_INTERVAL_MS } from '../depth-choice.ts'
import { rejected } from '../fields.ts'
import { serverTime } from '../server-time.ts'
import { parseFast } from './fast.ts'
import { EXCHANGE } from './letters.ts'
import { parseFrame } from './parse.ts'
import { INSTRUMENTS_PATH, parseInstruments, parseRest } from './rest.ts'
import { tradeHistory } from './trade-history.ts'

/** Listings, settlements and changed brackets of all contracts. */
const LISTING_NEWS = '!contractInfo'
const FRAME_BYTES_MAX = 1_048_576

export const binance_futures: ExchangeAdapter = {
  exchange: EXCHANGE,
  tape_code: 1,
  ws_url: 'wss://fstream.binance.com',
  rest_url: 'https://fapi.binance.com',
  channels: ['book_ticker', 'trades', 'depth_events', 'mark_price', 'liquidations'],
  depth_intervals_ms: [0, 100, 250, 500],
  limits: {
    // The documentation says 1,024, an older copy 200. Crowded sockets lag and get cut, so use half
    // of the smaller number: one cut then silences few streams.
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
  opening_frames: [],
  subscribeFrame: (id, streams) => request('SUBSCRIBE', id, streams),
  unsubscribeFrame: (id, streams) => request('UNSUBSCRIBE', id, streams),
  streamOf,
  controlOf,
  parse(frame, ts_ingest, choice) {
    if (frame.length > FRAME_BYTES_MAX) {
      return rejected('too_large', `${frame.length} bytes, at most ${FRAME_BYTES_MAX}`)
    }
    const parsed = parseFast(frame, ts_ingest, choice) ?? parseFrame(frame, ts_ingest, choice)
    return parsed.kind === 'rejected'
      ? withAffected(parsed, frame, (name) => channelOfClass(name, choice))
      : parsed
  },
  parseRest,
  // The deepest snapshot. 100 levels would cost a quarter but miss most of the book.
  depthSnapshot: (symbol) => ({
    path: `/fapi/v1/depth?symbol=${encodeURIComponent(symbol)}&limit=1000`,
    weight: 20,
  }),
  tradeHistory,
  server_time: serverTime('/fapi/v1/time', 'serverTime'),
  instruments_path: INSTRUMENTS_PATH,
  parseInstruments,
  turnover: { path: '/fapi/v1/ticker/24hr', weight: 40, parse: parseTurnover },
}

/**
 * Since 2026-04-23 each endpoint delivers one set of stream classes. It acknowledges the others but
 * never delivers them. Quotes, books and raw trades are on /public, everything else on /market.
 * Listing announcements are on /market too, in a stream without a symbol.
 */
function groups(
  ws_url: string,
  symbols: readonly string[],
  choice: StreamChoice,
): readonly StreamGroup[] {
  const base = ws_url.replace(/\/+$/, '')
  const on_public: Stream[] = []
  const on_market: Stream[] = []
  const add = (group: Stream[], channel: Channel, stream_class: string, names = symbols): void => {
    if (!choice.channels.includes(channel)) return
    const rarity = channel === 'liquidations' ? { is_rare: true } : {}
    for (const symbol of names) {
      group.push({ name: streamName(symbol, stream_class), symbol, channel, ...rarity })
    }
  }
  add(on_public, 'book_ticker', 'bookTicker')
  add(choice.trade_stream === 'trade' ? on_public : on_market, 'trades', choice.trade_stream)
  for (const stream of depthStreamsOf(choice)) {
    const stream_class = depthClass(stream) + depthSpeed(choice)
    add(on_public, 'depth_events', stream_class, depthSymbolsOf(choice, symbols))
  }
  add(on_market, 'mark_price', 'markPrice@1s')
  add(on_market, 'liquidations', 'forceOrder')
  return [
    { url: `${base}/public/stream`, streams: on_public },
    { url: `${base}/market/stream`, streams: on_market, notices: [LISTING_NEWS] },
  ].filter((group) => group.streams.length > 0)
}

/** 250 ms is the exchange's default speed and has no suffix. */
function depthSpeed({ depth }: StreamChoice): string {
  const interval_ms = depth?.interval_ms ?? STANDARD_INTERVAL_MS
  return interval_ms === 250 ? '' : `@${interval_ms}ms`
}

const CHANNEL_OF_CLASS: Readonly<Record<string, Channel>> = {
  bookTicker: 'book_ticker',
  markPrice: 'mark_price',
  forceOrder: 'liquidations',
}

function channelOfClass(stream_class: string, choice: StreamChoice): Channel | undefined {
  if (stream_class === choice.trade_stream) return 'trades'
  // If diffs are recorded too, a partial book is not part of the sequence and cannot leave a gap.
  const [leading] = depthStreamsOf(choice)
  if (leading !== undefined && stream_class === depthClass(leading)) return 'depth_events'
  return CHANNEL_OF_CLASS[stream_class]
}
