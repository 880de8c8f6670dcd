/** Finds the hours to archive: finished ones without a file, and those with late rows. */
import {
  ARCHIVED_NAMES,
  ARCHIVED_TABLES,
  type ArchivedTable,
  isRollup,
} from '#core/archived-tables.ts'
import { givingLocksBack } from '#core/node/hour-spans.ts'
import type { Client, Pool } from '#core/node/pool.ts'
import { HOUR_US, type Micros, micros, toIso } from '#core/time.ts'
import { derivedProgress } from './derived-progress.ts'
import type { TableHour } from './records.ts'

/** Hours that ended up to `ended_by` and have rows that no version holds, oldest first. */
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
    [ARCHIVED_NAMES, toIso(ended_by)],
  )
  const isMade = derivedProgress(pool)
  const due: TableHour[] = []
  for (const { is_archived, ...row } of rows) {
    const table_hour = tableHourOf(row)
    if (!is_archived && !(await hasRows(pool, table_hour))) continue
    if (await isMade(table_hour)) due.push(table_hour)
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
    [ARCHIVED_NAMES, toIso(from), toIso(to)],
  )
  return rows.map(tableHourOf)
}

/**
 * Hours with rows that no file in the lake has, oldest first: never archived, or with late rows
 * that still have to be. `client` is in a transaction, and its snapshot decides.
 */
export async function selectUnarchivedHours(client: Client): Promise<readonly TableHour[]> {
  const { rows } = await client.query<HourRow>(
    `select p.table_name, (extract(epoch from p.hour) * 1000000)::float8 as hour
     from (${PARTITIONS}) p
     where not exists (
       select from marketdata.archive a where a.table_name = p.table_name and a.hour = p.hour
     ) or exists (
       select from marketdata.invalidations i
       where i.consumer = 'archive' and i.table_name = p.table_name
         and i.lowest >= p.hour and i.lowest < p.hour + interval '1 hour'
     )
     order by p.hour, array_position($1::text[], p.table_name)`,
    [ARCHIVED_NAMES],
  )
  const found: TableHour[] = []
  for (const table_hour of rows.map(tableHourOf)) {
    if (await givingLocksBack(client, () => hasRows(client, table_hour))) found.push(table_hour)
  }
  return found
}

/**
 * The relation that holds the hour's rows. A raw table has a partition per hour, named by
 * ensure_hour, for example `book_ticker_2024080823`. A rollup is read from the table itself, which
 * also holds other hours.
 */
export function relationOf({ table_name, hour }: TableHour): string {
  if (isRollup(table_name)) return table_name
  return `${table_name}_${toIso(hour).slice(0, 13).replaceAll(/[-T]/g, '')}`
}

/** Hours that have their own partition, or are in the partition of a day. $1: the tables. */
const PARTITIONS = `
  select t.table_name, p.hour
  from unnest($1::text[]) as t (table_name)
  join pg_inherits i on i.inhparent = ('marketdata.' || t.table_name)::regclass
  join pg_class c on c.oid = i.inhrelid
  cross join lateral (
    select substring(c.relname from '_([0-9]{8}|[0-9]{10})$') as digits
  ) n
  cross join lateral (
    select to_timestamp(n.digits, 'YYYYMMDDHH24') + h * interval '1 hour' as hour
    from generate_series(0, case length(n.digits) when 8 then 23 else 0 end) h
  ) p
  where n.digits is not null`

interface HourRow {
  readonly table_name: ArchivedTable
  readonly hour: number
}

function tableHourOf({ table_name, hour }: HourRow): TableHour {
  return { table_name, hour: micros(hour) }
}

/** Retention drops empty partitions. Until then, every run checks them here. */
async function hasRows(pool: Pool | Client, table_hour: TableHour): Promise<boolean> {
  const { table_name, hour } = table_hour
  const [, time] = ARCHIVED_TABLES[table_name].identity
  const { rowCount } = await pool.query(
    `select from marketdata.symbols s
     where exists (
       select from marketdata.${relationOf(table_hour)}
       where symbol_id = s.id and ${time} >= $1 and ${time} < $2
     ) limit 1`,
    [toIso(hour), toIso(micros(hour + HOUR_US))],
  )
  return rowCount === 1
}
