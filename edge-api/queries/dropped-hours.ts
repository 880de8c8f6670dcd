/**
 * Archived hours of a table that were dropped from the database, newest first, each in its newest
 * version. An hour counts as dropped if any of its versions was dropped (see archived-hours.ts).
 */
import type { ArchivedTable } from '#core/archived-tables.ts'
import { toIso, type Micros } from '#core/time.ts'
import type { ArchivedHourRow } from './archived-hours.ts'
import type { Database } from './database.ts'

export interface DroppedHoursArgs {
  readonly exchange: string
  readonly table_name: ArchivedTable
  /** Hours that end after this time. */
  readonly from: Micros
  readonly limit: number
}

const SQL = `
select a.hour, a.version, a.object_key, a.byte_count, true as is_dropped
from marketdata.archive a
where a.exchange = $1 and a.table_name = $2 and a.hour > $3::timestamptz - interval '1 hour'
  and not exists (
    select from marketdata.archive n
    where n.exchange = a.exchange and n.table_name = a.table_name and n.hour = a.hour
      and n.version > a.version)
  and exists (
    select from marketdata.archive d
    where d.exchange = a.exchange and d.table_name = a.table_name and d.hour = a.hour
      and d.dropped_at is not null)
order by a.hour desc
limit $4::int`

export function selectDroppedHours(
  db: Database,
  { exchange, table_name, from, limit }: DroppedHoursArgs,
): Promise<readonly ArchivedHourRow[]> {
  return db.query(SQL, [exchange, table_name, toIso(from), limit])
}
