/**
 * Reads the recorded depth of one instrument for core's bookAt from the archive alone, while the
 * database does not respond. Only times in archived hours can be answered then.
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
  /** Maximum age of the newest update in the book [us]. */
  readonly max_age_us: number
  readonly sources: Pick<RangeSources, 'archivedHoursOfStore' | 'newestRow'>
  readonly readRange: ReadRange
}

const DAYS_MAX = 31

/** Throws OperatorError `database_unreachable` if only the database may have the rows. */
export function storedDepth(options: StoredDepthOptions): DepthSource {
  const { instrument, max_age_us, sources, readRange } = options
  const { exchange, symbol } = instrument
  const away = { ...instrument, id: null }
  const stored = { exchange, table_name: 'depth_events' } as const
  const hoursOf = (from: Micros, to: Micros): Promise<readonly ArchivedHourRow[]> =>
    sources.archivedHoursOfStore({ ...stored, from, to, day_count_max: DAYS_MAX })

  /** The part of [from, to) from the first archived hour to the first hour that is not archived. */
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
