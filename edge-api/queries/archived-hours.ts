/**
 * The archived hours of a table that overlap [from, to), oldest first, each in its newest version.
 * An hour is dropped if any of its versions was dropped. Late rows create its partition again, but
 * the new partition has only these rows, so the hour must still be read from its file.
 */
import type { ArchivedTable } from '#core/archived-tables.ts'
import { toIso, type Micros } from '#core/time.ts'
import type { Database } from './database.ts'

export interface ArchivedHourRow {
  /** Start of the hour. */
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
