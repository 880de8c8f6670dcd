/** Which days have any data, in Postgres or in the archive. */
import { OperatorError } from '#core/errors.ts'
import { selectHourSpans } from '#core/node/hour-spans.ts'
import type { Pool } from '#core/node/pool.ts'
import { type Day, dayRange, toIso } from '#core/time.ts'

const TABLES = ['book_ticker', 'trades', 'depth_events'] as const

/** Days with quotes, trades or depth, newest first, at most `limit`. */
export async function selectDaysWithData(pool: Pool, limit: number): Promise<readonly Day[]> {
  const { rows } = await pool.query<{ day: Day; is_archived: boolean }>(
    `select to_char(d.day at time zone 'UTC', 'YYYY-MM-DD') as day, bool_or(is_archived) as is_archived
     from (
       select to_timestamp(substring(p.relname from '_([0-9]{8})[0-9]{2}$'), 'YYYYMMDD') as day,
         false as is_archived
       from pg_inherits i join pg_class p on p.oid = i.inhrelid
       join unnest($1::text[]) as t (name) on i.inhparent = ('marketdata.' || t.name)::regclass
       union
       select date_bin('1 day', hour, 'epoch'), true from marketdata.archive
       where table_name = any ($1) and row_count > 0
     ) d
     group by d.day order by d.day desc`,
    [TABLES],
  )
  const days: Day[] = []
  for (const { day, is_archived } of rows) {
    if (days.length === limit) break
    if (is_archived || (await hasRows(pool, day))) days.push(day)
  }
  return days
}

async function hasRows(pool: Pool, day: Day): Promise<boolean> {
  const { from, to } = dayRange(day)
  for (const table of TABLES) {
    for (const span of await selectHourSpans(pool, [table], from, to)) {
      const { rowCount } = await pool.query(
        `select from marketdata.${table} where ts_exchange >= $1 and ts_exchange < $2 limit 1`,
        [toIso(span.from), toIso(span.to)],
      )
      if (rowCount === 1) return true
    }
  }
  return false
}

const DAYS_NAMED_MAX = 10

/** The error of a build for a day without data. */
export async function noData(pool: Pool, date: Day): Promise<OperatorError> {
  const days = await selectDaysWithData(pool, DAYS_NAMED_MAX)
  const found = days.length === 0 ? 'no day has any' : `days with data are ${days.join(', ')}`
  const message = `There are no quotes, trades or depth of ${date}; ${found}.`
  return new OperatorError('no_data', message, {
    hint: 'Name one of those days, or check that the ingestor was running.',
  })
}
