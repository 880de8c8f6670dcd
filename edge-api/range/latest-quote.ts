/**
 * The newest quote of one instrument, from the database or from hours that were dropped from it. As
 * in read-range.ts, the database is queried for the row first and for the dropped hours second, so
 * an hour that is dropped in between is not missed.
 */
import { HOUR_US, hourStart, micros, type Micros } from '#core/time.ts'
import { createBudget, LAKE_LIMITS } from '../lake/budget.ts'
import type { ArchivedHourRow } from '../queries/archived-hours.ts'
import type { DroppedHoursArgs } from '../queries/dropped-hours.ts'
import { storedColumns, type Row } from '../tables/table.ts'
import { quotes } from '../tables/tables.ts'
import type { Instrument } from './instruments.ts'
import { newerRow } from './merge.ts'
import type { RangeSources } from './read-range.ts'

export interface LatestQuoteSources extends Pick<RangeSources, 'newestRow'> {
  hot(symbol_id: number, now: Micros, from: Micros): Promise<Row | undefined>
  droppedHours(args: DroppedHoursArgs): Promise<readonly ArchivedHourRow[]>
}

/** Undefined if there is none since `from`, in the database and the ARCHIVED_HOURS_MAX hours. */
export type LatestQuote = (
  instrument: Instrument,
  now: Micros,
  from: Micros,
) => Promise<Row | undefined>

/** The list of hours does not name their symbols, so each file must be opened. */
export const ARCHIVED_HOURS_MAX = LAKE_LIMITS.file_count_max

export function createLatestQuote(sources: LatestQuoteSources): LatestQuote {
  return async ({ id, exchange, symbol }, now, from) => {
    const hot = await sources.hot(id, now, from)
    const known_from = hot === undefined ? from : (hot['ts_exchange'] as Micros)
    // Only finished hours are archived.
    if (known_from >= hourStart(now)) return hot
    const hours = await sources.droppedHours({
      exchange,
      table_name: 'book_ticker',
      from: known_from,
      limit: ARCHIVED_HOURS_MAX,
    })
    const budget = createBudget(LAKE_LIMITS)
    const columns = storedColumns(quotes, quotes.columns)
    for (const hour of hours) {
      const to = micros(hour.hour + HOUR_US)
      const args = { table: quotes, columns, symbol, from: known_from, to }
      const cold = await sources.newestRow(hour, args, undefined, budget)
      if (cold !== undefined) return newerRow(quotes, hot, cold)
    }
    return hot
  }
}
