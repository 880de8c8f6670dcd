/** Which hours are to be archived: those that are over and not archived, and those with late rows. */
import type { Pool } from '#core/node/pool.ts'
import { RAW_CHANNELS, type RawChannel } from '#core/tables.ts'
import { type Micros, micros, toIso } from '#core/time.ts'
import type { TableHour } from './records.ts'

/** Hours that ended up to `ended_by` and have rows that no version is known to hold, oldest first. */
export async function selectDueHours(pool: Pool, ended_by: Micros): Promise<readonly TableHour[]> {
  const { rows } = await pool.query<HourRow & { is_archived: boolean }>(
    `select p.table_name, (extract(epoch from p.hour) * 1000000)::float8 as hour, is_archived
     from (${PARTITIONS}) p
     cross join lateral (
       select exists (
         select from marketdata.archive a where a.table_name = p.table_name and a.hour = p.hour
       ) as is_archived
     ) a
     where p.hour + interval '1 hour' <= $2 and (
       not is_archived or exists (
         select from marketdata.invalidations i
         where i.consumer = 'archive' and i.table_name = p.table_name
           and i.lowest >= p.hour and i.lowest < p.hour + interval '1 hour'
       )
     )
     order by p.hour, array_position($1::text[], p.table_name)`,
    [RAW_CHANNELS, toIso(ended_by)],
  )
  const due: TableHour[] = []
  for (const { is_archived, ...row } of rows) {
    const table_hour = tableHourOf(row)
    if (is_archived || (await hasRows(pool, table_hour))) due.push(table_hour)
  }
  return due
}

/** Hours in [from, to) that have a partition, archived or not. */
export async function selectHours(
  pool: Pool,
  from: Micros,
  to: Micros,
): Promise<readonly TableHour[]> {
  const { rows } = await pool.query<HourRow>(
    `select p.table_name, (extract(epoch from p.hour) * 1000000)::float8 as hour
     from (${PARTITIONS}) p
     where p.hour >= $2 and p.hour < $3
     order by p.hour, array_position($1::text[], p.table_name)`,
    [RAW_CHANNELS, toIso(from), toIso(to)],
  )
  return rows.map(tableHourOf)
}

/** `book_ticker_2024080823` of table `book_ticker`: ensure_hour gives a partition its name. */
export function partitionName({ table_name, hour }: TableHour): string {
  return `${table_name}_${toIso(hour).slice(0, 13).replaceAll(/[-T]/g, '')}`
}

/** $1: the raw tables. */
const PARTITIONS = `
  select t.table_name, to_timestamp(right(c.relname, 10), 'YYYYMMDDHH24') as hour
  from unnest($1::text[]) as t (table_name)
  join pg_inherits i on i.inhparent = ('marketdata.' || t.table_name)::regclass
  join pg_class c on c.oid = i.inhrelid
  where c.relname ~ '_[0-9]{10}$'`

interface HourRow {
  readonly table_name: RawChannel
  readonly hour: number
}

function tableHourOf({ table_name, hour }: HourRow): TableHour {
  return { table_name, hour: micros(hour) }
}

/** Retention drops those without; until then they are looked at here once a run. */
async function hasRows(pool: Pool, table_hour: TableHour): Promise<boolean> {
  const { rowCount } = await pool.query(
    `select from marketdata.${partitionName(table_hour)} limit 1`,
  )
  return rowCount === 1
}
