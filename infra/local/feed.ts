/** The feed of the local stack: --feed sim|live|none|FILE. */
import { existsSync } from 'node:fs'
import { OperatorError } from '#core/errors.ts'
import { isExchange, isSymbolName, SYMBOL_RULE } from '#core/symbols.ts'
import type { TimeUnit } from '#core/time-source.ts'
import type { DepthChoice, DepthStream } from '../../ingestor/exchanges/adapter.ts'
import { STANDARD_INTERVAL_MS } from '../../ingestor/exchanges/depth-choice.ts'
import { adapterFor } from '../../ingestor/exchanges/registry.ts'
import { parseStreamName } from '../exchange/protocol/streams.ts'
import { type RecordingSummary, summariseRecording } from '../exchange/replay/recording.ts'

export type Feed =
  | { readonly kind: 'sim' }
  | { readonly kind: 'live' }
  | { readonly kind: 'none' }
  | { readonly kind: 'recording'; readonly file: string; readonly summary: RecordingSummary }

/** Reads a recording once in full, so that an invalid file is refused before anything starts. */
export async function parseFeed(text: string): Promise<Feed> {
  if (text === 'sim' || text === 'live' || text === 'none') return { kind: text }
  if (!existsSync(text)) {
    const message = `--feed ${text} is not sim, live or none, and not the path of a file.`
    throw new OperatorError('bad_feed', message, {
      hint: 'Use sim, live, none or the path of a recording (NDJSON, gzip or plain).',
    })
  }
  return { kind: 'recording', file: text, summary: await summariseRecording(text) }
}

/** Parses `A,B,C`; undefined if the option was not given. */
export function parseSymbols(text: string | undefined): readonly string[] | undefined {
  if (text === undefined) return undefined
  const symbols = text.split(',').map((part) => part.trim())
  const bad = symbols.filter((symbol) => !isSymbolName(symbol))
  if (bad.length > 0) {
    const names = bad.map((name) => `"${name}"`).join(', ')
    throw new OperatorError('bad_symbols', `--symbols has invalid names: ${names}.`, {
      hint: `Expected comma-separated names such as BTCUSDT,ETHUSDT. Names are ${SYMBOL_RULE}.`,
    })
  }
  return [...new Set(symbols)]
}

/** The settings that make an ingestor subscribe to the streams of a recording. */
export interface RecordedStreams {
  readonly time_unit: TimeUnit
  readonly trade_stream: 'aggTrade' | 'trade'
  readonly depth: DepthChoice
  /** True if every symbol is coin-margined. */
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

/** Speed of depth streams whose name does not contain it [ms]. */
const UNNAMED_SPEED_MS: Readonly<Record<string, number>> = { 'binance-spot': 1_000 }

/**
 * The recording's diff streams, if any, and its deepest partial book, at the speed of the first. A
 * speed that the exchange no longer offers is replaced: any speed plays what was recorded.
 */
function depthOf(summary: RecordingSummary): DepthChoice {
  const names = Object.keys(summary.streams).flatMap((stream) => parseStreamName(stream) ?? [])
  const has = (stream_class: string): boolean =>
    names.some((name) => name.stream_class === stream_class)
  const deepest = ([20, 10, 5] as const).find((level_count) => has(`depth${level_count}`))
  const streams: DepthStream[] = [
    ...(has('depth') ? (['diff'] as const) : []),
    ...(deepest === undefined ? [] : ([`partial${deepest}`] as const)),
  ]
  const leading = has('depth') ? 'depth' : `depth${deepest ?? ''}`
  const { interval_ms } = names.find((name) => name.stream_class === leading) ?? {
    interval_ms: 100,
  }
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

/** The trade stream that a recording has; aggTrade if it has both. */
export function tradeStreamOf(summary: RecordingSummary): 'aggTrade' | 'trade' {
  const classes = new Set(Object.keys(summary.streams).map((name) => name.split('@')[1]))
  return classes.has('trade') && !classes.has('aggTrade') ? 'trade' : 'aggTrade'
}
