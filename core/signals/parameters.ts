/** Parameters of the signals. A change of one raises SIGNALS_VERSION. */
import type { Decimal } from '../decimals.ts'

/** Raised with every change of a definition; a part of each row and of the object key. */
export const SIGNALS_VERSION = 1

const whole = (units: number): Decimal => ({ units, digits: 0 })

/** A bar is compared with those that begin in as many intervals before it. */
export const LOOKBACK_BARS = 20
/** With fewer bars to compare with there is no signal. */
export const LOOKBACK_BARS_MIN = 3
/** A bin is the largest that leaves the median bar of the lookback this many bins. */
export const BINS_OF_BAR = 20

export const STACKED = {
  /** Neighbouring bins with an imbalance. */
  bins_min: 3,
  /** bought >= ratio x sold in the bin below, or sold >= ratio x bought in the bin above. */
  ratio: whole(3),
  /** Their winning side traded at least 1 / this of the bar's volume. */
  volume_part: whole(10),
}

export const ABSORPTION = {
  /** volume >= 3/2 x the median of the lookback. */
  volume_numerator: whole(3),
  volume_denominator: whole(2),
  /** |delta| >= volume / this. */
  delta_part: whole(4),
}

/** The outermost bin traded at most 1 / this of the third one. */
export const EXHAUSTION = { part: whole(5) }

/** |delta| >= volume / this. */
export const DIVERGENCE = { delta_part: whole(10) }

export const LARGE_TRADE = {
  /** qty >= this x the mean trade of the lookback. */
  ratio: whole(100),
  /** With fewer trades there is no mean. */
  trades_min: 100,
}

export const WALL = {
  /** Levels per side that are looked at, as in orderbook_topn. */
  levels: 10,
  /** qty >= this x the median of the levels. */
  ratio: whole(10),
  /** Samples, one a second, for which it must hold. */
  samples: 5,
  /** A wall that comes back within this time has not appeared anew [s]. */
  rest_s: 60,
  /** It is pulled if it lost at least 1 / this of its quantity within a second ... */
  fall_part: whole(2),
  /** ... and takers traded at most 1 / this of what it lost. */
  traded_part: whole(2),
  /** The book at the end of a day may be confirmed in the next day only. */
  quiet_s: 60,
}
