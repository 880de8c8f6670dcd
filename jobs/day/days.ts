/** Which days have anything at all, wherever it lies. */
import { OperatorError } from '#core/errors.ts'
import type { Pool } from '#core/node/pool.ts'
import type { Day } from '#core/time.ts'

/** Days that have quotes, trades or depth, newest first, at most `limit`. */
export async function selectDaysWithData(pool: Pool, limit: number): Promise<readonly Day[]> {
  const first = (table: string): string =>
    `(select 1 from marketdata.${table}
      where ts_exchange >= d.day and ts_exchange < d.day + interval '1 day' limit 1)`
  const { rows } = await pool.query<{ day: Day }>(
    `select to_char(d.day at time zone 'UTC', 'YYYY-MM-DD') as day
     from (
       select to_timestamp(substring(p.relname from '_([0-9]{8})[0-9]{2}$'), 'YYYYMMDD') as day
       from pg_inherits i join pg_class p on p.oid = i.inhrelid
       where i.inhparent in ('marketdata.book_ticker'::regclass, 'marketdata.trades'::regclass,
         'marketdata.depth_events'::regclass)
       union
       select date_bin('1 day', hour, 'epoch') from marketdata.archive
       where table_name in ('book_ticker', 'trades', 'depth_events') and row_count > 0
     ) d
     where exists ${first('book_ticker')} or exists ${first('trades')}
       or exists ${first('depth_events')}
       or exists (
         select from marketdata.archive
         where table_name in ('book_ticker', 'trades', 'depth_events') and row_count > 0
           and hour >= d.day and hour < d.day + interval '1 day'
       )
     order by d.day desc limit $1`,
    [limit],
  )
  return rows.map((row) => row.day)
}

const DAYS_NAMED_MAX = 10

/** What a build of a day says that has nothing to build from. */
export async function noData(pool: Pool, date: Day): Promise<OperatorError> {
  const days = await selectDaysWithData(pool, DAYS_NAMED_MAX)
  const found = days.length === 0 ? 'no day has any' : `days with data are ${days.join(', ')}`
  const message = `There are no quotes, trades or depth of ${date}; ${found}.`
  return new OperatorError('no_data', message, {
    hint: 'Name one of those days, or check that the ingestor was running.',
  })
}
