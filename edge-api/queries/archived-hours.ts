/**
 * The newest version of every archived hour of a table that touches [from, to), oldest first.
 * What was dropped once is dropped for good: late rows make a partition anew, but with themselves
 * alone, so such an hour is read from its file whatever its newest version says.
 */
import type { ArchivedTable } from '#core/archived-tables.ts'
import { toIso, type Micros } from '#core/time.ts'
import type { Database } from './database.ts'

export interface ArchivedHourRow {
  /** Its start. */
  readonly hour: Micros
  readonly version: number
  readonly object_key: string
  readonly byte_count: number
  readonly is_dropped: boolean
}

export interface ArchivedHoursArgs {
  readonly exchange: string
  readonly table_name: ArchivedTable
  readonly from: Micros
  readonly to: Micros
  readonly limit: number
}

const SQL = `
select distinct on (hour) hour, version, object_key, byte_count,
  bool_or(dropped_at is not null) over (partition by hour) as is_dropped
from marketdata.archive
where exchange = $1 and table_name = $2
  and hour > $3::timestamptz - interval '1 hour' and hour < $4::timestamptz
order by hour, version desc
limit $5::int`

export function selectArchivedHours(
  db: Database,
  args: ArchivedHoursArgs,
): Promise<readonly ArchivedHourRow[]> {
  return db.query(SQL, [
    args.exchange,
    args.table_name,
    toIso(args.from),
    toIso(args.to),
    args.limit,
  ])
}
