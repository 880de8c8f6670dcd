/**
 * The recorded depth of one instrument from the archive alone, as core's bookAt reads it: for when
 * the database does not answer. A moment whose hour is not archived cannot be answered then.
 */
import type { DepthSource } from '#core/book-at.ts'
import { HOUR_US, hourStart, micros, type Micros } from '#core/time.ts'
import type { ArchivedHourRow } from '../queries/archived-hours.ts'
import {
  lastSnapshot,
  mergedDiffs,
  NEXT_DIFF_US,
  SNAPSHOT_REACH_US,
  snapshotsIn,
} from './archived-depth.ts'
import type { ArchivedInstrument } from './instruments.ts'
import { databaseAway, type RangeSources, type ReadRange } from './read-range.ts'

export interface StoredDepthOptions {
  readonly instrument: ArchivedInstrument
  /** A book whose last change is older is not wanted [us]. */
  readonly max_age_us: number
  readonly sources: Pick<RangeSources, 'archivedHoursOfStore' | 'newestRow'>
  readonly readRange: ReadRange
}

const DAYS_MAX = 31

/** Throws OperatorError `database_unreachable` for what only the database may have. */
export function storedDepth(options: StoredDepthOptions): DepthSource {
  const { instrument, max_age_us, sources, readRange } = options
  const { exchange, symbol } = instrument
  const away = { ...instrument, id: null }
  const stored = { exchange, table_name: 'depth_events' } as const
  const hoursOf = (from: Micros, to: Micros): Promise<readonly ArchivedHourRow[]> =>
    sources.archivedHoursOfStore({ ...stored, from, to, day_count_max: DAYS_MAX })

  /** What of [from, to) is archived without a hole, from the first archived hour on. */
  const storedPart = async (
    from: Micros,
    to: Micros,
  ): Promise<{ readonly from: Micros; readonly to: Micros }> => {
    const hours = await hoursOf(from, to)
    const first = hours[0]?.hour ?? to
    let end = first
    for (const { hour } of hours) if (hour === end) end = micros(end + HOUR_US)
    return { from: micros(Math.max(from, first)), to: micros(Math.min(end, to)) }
  }
  return {
    async snapshotBefore(ts) {
      const from = micros(ts - max_age_us - SNAPSHOT_REACH_US)
      const hours = await hoursOf(from, micros(ts + 1))
      if (hours.at(-1)?.hour !== hourStart(ts)) throw databaseAway()
      for (const hour of hours.toReversed()) {
        const found = await lastSnapshot(sources, hour, symbol, ts)
        if (found !== undefined && found.ts_exchange >= from) return found
      }
      return undefined
    },
    async snapshotsAfter(from, to) {
      const part = await storedPart(micros(from + 1), micros(to + 1))
      return part.from < part.to ? snapshotsIn(readRange, away, part.from, part.to) : []
    },
    async *diffs(wanted) {
      const { from_ts, to_ts } = wanted
      const part = await storedPart(from_ts, micros(to_ts + NEXT_DIFF_US))
      if (part.to <= to_ts) throw databaseAway()
      yield* mergedDiffs(readRange, away, { ...wanted, from_ts: part.from }, part.to)
    },
  }
}
