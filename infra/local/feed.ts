/** What the local stack listens to: --feed sim|live|none|FILE. */
import { existsSync } from 'node:fs'
import { OperatorError } from '#core/errors.ts'
import { isExchange, isSymbolName, SYMBOL_RULE } from '#core/symbols.ts'
import type { TimeUnit } from '#core/time-source.ts'
import type { DepthChoice, DepthStream } from '../../ingestor/exchanges/adapter.ts'
import { STANDARD_INTERVAL_MS } from '../../ingestor/exchanges/depth-choice.ts'
import { adapterFor } from '../../ingestor/exchanges/registry.ts'
import { parseStreamName } from './exchange/protocol/streams.ts'
import { type RecordingSummary, summariseRecording } from './exchange/replay/recording.ts'

export type Feed =
  | { readonly kind: 'sim' }
  | { readonly kind: 'live' }
  | { readonly kind: 'none' }
  | { readonly kind: 'recording'; readonly file: string; readonly summary: RecordingSummary }

/** Reads a recording once through, so that a file that is none is refused before anything starts. */
export async function parseFeed(text: string): Promise<Feed> {
  if (text === 'sim' || text === 'live' || text === 'none') return { kind: text }
  if (!existsSync(text)) {
    throw new OperatorError('bad_feed', `--feed ${text} is not sim, live or none, and there is no such file.`, {
      hint: 'Give one of the three words, or the path of a recording (NDJSON, gzip or plain).',
    })
  }
  return { kind: 'recording', file: text, summary: await summariseRecording(text) }
}

/** `A,B,C` as exchange names; undefined where the option was not given. */
export function parseSymbols(text: string | undefined): readonly string[] | undefined {
  if (text === undefined) return undefined
  const symbols = text.split(',').map((part) => part.trim())
  const bad = symbols.filter((symbol) => !isSymbolName(symbol))
  if (bad.length > 0) {
    throw new OperatorError('bad_symbols', `--symbols has ${bad.map((name) => `"${name}"`).join(', ')}.`, {
      hint: `Expected names such as BTCUSDT,ETHUSDT: ${SYMBOL_RULE}; commas between them.`,
    })
  }
  return [...new Set(symbols)]
}

/** What of a recording's streams an ingestor has to be asked for. */
export interface RecordedStreams {
  readonly time_unit: TimeUnit
  readonly trade_stream: 'aggTrade' | 'trade'
  readonly depth: DepthChoice
  /** Everything in it is margined in coin. */
  readonly include_coin_m: boolean
}

export function streamsOf(summary: RecordingSummary): RecordedStreams {
  return {
    time_unit: summary.time_unit,
    trade_stream: tradeStreamOf(summary),
    depth: depthOf(summary),
    include_coin_m: summary.symbols.every((symbol) => /USD_(?:PERP|\d{6})$/.test(symbol)),
  }
}

/** Speed of a depth stream whose name says none [ms]. */
const UNNAMED_SPEED_MS: Readonly<Record<string, number>> = { 'binance-spot': 1_000 }

/**
 * Diffs where it has them, and the deepest of its partial books, at the speed of the first. A speed
 * that cannot be asked for today is replaced: what was recorded is played at any.
 */
function depthOf(summary: RecordingSummary): DepthChoice {
  const names = Object.keys(summary.streams).flatMap((stream) => parseStreamName(stream) ?? [])
  const has = (stream_class: string): boolean => names.some((name) => name.stream_class === stream_class)
  const deepest = ([20, 10, 5] as const).find((level_count) => has(`depth${level_count}`))
  const streams: DepthStream[] = [
    ...(has('depth') ? (['diff'] as const) : []),
    ...(deepest === undefined ? [] : ([`partial${deepest}`] as const)),
  ]
  const leading = has('depth') ? 'depth' : `depth${deepest ?? ''}`
  const { interval_ms } = names.find((name) => name.stream_class === leading) ?? { interval_ms: 100 }
  const recorded_ms = interval_ms ?? UNNAMED_SPEED_MS[summary.exchange] ?? 250
  const speeds = isExchange(summary.exchange) ? adapterFor(summary.exchange).depth_intervals_ms : []
  const has_speed =
    speeds?.includes(recorded_ms) !== false && (streams.length === 1 || recorded_ms > 0)
  return {
    symbols: 'all',
    streams: streams.length === 0 ? ['diff'] : streams,
    interval_ms: has_speed ? recorded_ms : STANDARD_INTERVAL_MS,
  }
}

/** Which of the exchange's two trade streams a recording has; aggTrade where it has both. */
export function tradeStreamOf(summary: RecordingSummary): 'aggTrade' | 'trade' {
  const classes = new Set(Object.keys(summary.streams).map((name) => name.split('@')[1]))
  return classes.has('trade') && !classes.has('aggTrade') ? 'trade' : 'aggTrade'
}
