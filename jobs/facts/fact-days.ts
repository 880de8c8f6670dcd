/**
 * Days whose imported facts have changed (marketdata.fact_days). An import notes them in the
 * transaction of its rows; the job `facts` builds their datasets.
 */
import { type FactName, isFactName } from '#core/fact-tables.ts'
import type { Client, Pool } from '#core/node/pool.ts'
import { addDays, type Day } from '#core/time.ts'

export interface ChangedDays {
  readonly table: FactName
  readonly symbol_id: number
  readonly from: Day
  /** Exclusive. */
  readonly to: Day
}

/**
 * Notes the days of a file. The days before and after it too, if they were imported: a file of
 * metrics ends with the next day's first row.
 */
export async function noteFactDays(
  client: Client,
  { table, symbol_id, from, to }: ChangedDays,
): Promise<void> {
  await client.query(
    `insert into marketdata.fact_days as d (table_name, date, change_count)
     select $1, (day at time zone 'UTC')::date, 1
     from generate_series($3::timestamptz, $4::timestamptz, interval '1 day') as day
     where exists (
       select from marketdata.imports i
       where i.table_name = $1 and i.symbol_id = $2 and i.from_ts <= day and i.to_ts > day
     )
     on conflict (table_name, date) do update set change_count = d.change_count + 1`,
    [table, symbol_id, `${addDays(from, -1)}T00:00:00Z`, `${to}T00:00:00Z`],
  )
}

export interface DueFactDay {
  readonly date: Day
  readonly tables: readonly FactName[]
}

/** Days to build, oldest first. With `files`: those that these files are of, or lie next to. */
export async function selectDueFactDays(
  pool: Pool,
  files?: readonly string[],
): Promise<readonly DueFactDay[]> {
  const { rows } = await pool.query<{ date: Day; tables: string[] }>(
    `select to_char(d.date, 'YYYY-MM-DD') as date, array_agg(d.table_name order by d.table_name) as tables
     from marketdata.fact_days d
     where d.built_count < d.change_count and ($1::text[] is null or exists (
       select from marketdata.imports i
       where i.file = any ($1) and i.table_name = d.table_name
         and d.date >= (i.from_ts at time zone 'UTC')::date - 1
         and d.date <= (i.to_ts at time zone 'UTC')::date
     ))
     group by d.date order by d.date`,
    [files ?? null],
  )
  return rows.map(({ date, tables }) => ({ date, tables: tables.filter(isFactName) }))
}

/** Number of changes of the day, by table. */
export type FactChanges = ReadonlyMap<FactName, number>

/** Of the tables that imports have changed since they were built, or of all that were imported. */
export async function selectFactChanges(
  client: Client,
  date: Day,
  which: 'changed' | 'all',
): Promise<FactChanges> {
  const { rows } = await client.query<{ table_name: FactName; change_count: number }>(
    `select table_name, change_count::float8 as change_count from marketdata.fact_days
     where date = $1 and ($2 or built_count < change_count)`,
    [date, which === 'all'],
  )
  return new Map(rows.map(({ table_name, change_count }) => [table_name, change_count]))
}

/** The datasets of the day have these changes. A file is built when all of its days are. */
export async function markFactsBuilt(
  pool: Pool,
  date: Day,
  changes: FactChanges,
  at: Date,
): Promise<void> {
  await pool.query(
    `update marketdata.fact_days d set built_count = greatest(d.built_count, built.change_count)
     from unnest($2::text[], $3::bigint[]) as built (table_name, change_count)
     where d.date = $1 and d.table_name = built.table_name`,
    [date, [...changes.keys()], [...changes.values()]],
  )
  await pool.query(
    `update marketdata.imports i set built_at = $3
     where i.table_name = any ($2) and i.built_at is null
       and i.from_ts < ($1::date + 1)::timestamp at time zone 'UTC'
       and i.to_ts > $1::date::timestamp at time zone 'UTC'
       and not exists (
         select from marketdata.fact_days d
         where d.table_name = i.table_name and d.built_count < d.change_count
           and d.date >= (i.from_ts at time zone 'UTC')::date
           and d.date < (i.to_ts at time zone 'UTC')::date
       )`,
    [date, [...changes.keys()], at],
  )
}
