/** How many events each stream has in each hour of a grid, and how many known rows. */
import { HOUR_US } from '#core/time.ts'
import type { FeatureChannel } from '../day/events.ts'
import { countKnown } from '../day/grid-columns.ts'
import type { GridHour } from '../day/grid.ts'

/** Keys: the streams that were read. */
export type HourCounts = {
  readonly [Channel in FeatureChannel]?: {
    readonly event_count: number
    /** Rows of the hour in which the stream is known. */
    readonly known_count: number
  }
}

/** By channel: events per hour, and a column that is null wherever the stream is not known. */
export type Streams = {
  readonly [Channel in FeatureChannel]?: {
    readonly event_counts: readonly number[]
    readonly known: Float64Array
  }
}

/** Events outside the grid count towards its first or last hour. */
export class EventCounter {
  readonly #first_to: number
  readonly #counts: number[]

  constructor(hours: readonly GridHour[]) {
    this.#first_to = hours[0]!.to
    this.#counts = hours.map(() => 0)
  }

  get counts(): readonly number[] {
    return this.#counts
  }

  add(ts: number): void {
    const index = Math.floor((ts - this.#first_to) / HOUR_US) + 1
    this.#counts[Math.min(Math.max(index, 0), this.#counts.length - 1)]! += 1
  }
}

export function countsOf(streams: Streams, hour: GridHour, hours: readonly GridHour[]): HourCounts {
  const index = hours.indexOf(hour)
  const counts = Object.entries(streams).map(([channel, { event_counts, known }]) => [
    channel,
    {
      event_count: event_counts[index]!,
      known_count: countKnown(known.subarray(hour.first, hour.end)),
    },
  ])
  return Object.fromEntries(counts) as HourCounts
}
