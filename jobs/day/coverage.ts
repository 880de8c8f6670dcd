/** How well the streams of a day are covered. */
import type { Exchange } from '#core/symbols.ts'
import type { FeatureChannel } from './events.ts'
import type { StreamGap } from './gaps.ts'
import type { Grid } from './grid.ts'

/** Coverage of one stream of one symbol in the day. */
export interface StreamCoverage {
  readonly channel: FeatureChannel
  readonly event_count: number
  /** Seconds of the grid that have known values. */
  readonly present_s: number
  /** Gaps that touch the day, repaired ones included. */
  readonly gaps: readonly StreamGap[]
}

/** A symbol's day without its values: small enough to keep for every symbol. */
export interface SymbolSummary {
  readonly exchange: Exchange
  readonly symbol: string
  readonly grid: Grid
  readonly coverage: readonly StreamCoverage[]
}
