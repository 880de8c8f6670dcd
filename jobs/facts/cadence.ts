/** How often files of facts have rows, and so what they lack. */
import { KLINE_INTERVALS } from '#core/fact-tables.ts'
import { HOUR_US, SECOND_US, type Micros } from '#core/time.ts'

export interface Cadence {
  /** Of candles [s]. */
  readonly interval_s: number | undefined
  /** More time than this between two rows is missing [us]. */
  readonly silence_us: number
  /** The first row is that of the first day's start, and not any up to `silence_us` later. */
  readonly starts_at_once: boolean
}

const FIVE_MINUTES_US = 300 * SECOND_US

const sampled = { interval_s: undefined, starts_at_once: false } as const

const SAMPLED: Readonly<Record<string, Cadence>> = {
  bookDepth: { ...sampled, silence_us: FIVE_MINUTES_US },
  metrics: { ...sampled, silence_us: FIVE_MINUTES_US + 60 * SECOND_US },
  // Every eight hours at the longest.
  fundingRate: { ...sampled, silence_us: 8 * HOUR_US + FIVE_MINUTES_US },
}

/** Of a kind of file by its name, such as metrics or klines_1h; undefined: there is none. */
export function cadenceOf(kind: string): Cadence | undefined {
  if (!kind.startsWith('klines_')) return SAMPLED[kind]
  const intervals: Readonly<Record<string, number>> = KLINE_INTERVALS
  const interval_s = intervals[kind.slice('klines_'.length)]
  if (interval_s === undefined) return undefined
  return { interval_s, silence_us: interval_s * SECOND_US, starts_at_once: true }
}

/** Nothing between two rows, which have no ids. */
export interface MissingRows {
  readonly from_ts: number
  readonly to_ts: number
  readonly from_id: null
  readonly to_id: null
}

const NO_IDS = { from_id: null, to_id: null } as const

/** What is missing between rows of [from, to), and from its ends. `times` are in order. */
export function missingBetween(
  { silence_us, starts_at_once }: Cadence,
  { from, to }: { readonly from: Micros; readonly to: Micros },
  times: Float64Array,
): readonly MissingRows[] {
  const missing: MissingRows[] = []
  let last = starts_at_once ? from - silence_us : from
  for (const ts of times) {
    if (ts - last > silence_us) {
      missing.push({ from_ts: Math.max(last, from), to_ts: ts, ...NO_IDS })
    }
    last = Math.max(last, ts)
  }
  if (to - last > silence_us) {
    missing.push({ from_ts: Math.max(last, from), to_ts: to, ...NO_IDS })
  }
  return missing
}
