/**
 * Decides which hours of a rollup can be computed from raw rows. After an hour was archived and
 * dropped, a late row recreates its partition, which then holds only that row. The rollup that was
 * computed before the drop is better and stays.
 */
import { givingLocksBack } from '#core/node/hour-spans.ts'
import type { Client } from '#core/node/pool.ts'
import { HOUR_US, type Micros, micros, toIso } from '#core/time.ts'
import type { Rollup } from './rollup.ts'

/**
 * Starts of the hours that overlap [from, to), oldest first; either end may be infinite. The hours
 * cannot be dropped until the transaction ends.
 */
export async function wholeHours(
  client: Client,
  { sources }: Rollup,
  from: number,
  to: number,
): Promise<readonly Micros[]> {
  // Dropping a partition needs a lock on its parent that conflicts with this one. The drop and its
  // mark in marketdata.archive commit together, so read the archive only after taking the lock.
  for (const table of sources) {
    await client.query(`lock table only marketdata.${table} in access share mode`)
  }
  const { rows } = await client.query<{ hour: number }>(
    `select distinct (extract(epoch from p.hour) * 1000000)::float8 as hour
     from pg_inherits i
     join pg_class c on c.oid = i.inhrelid
     cross join lateral (
       select to_timestamp(substring(c.relname from '_([0-9]{10})$'), 'YYYYMMDDHH24') as hour
     ) p
     where i.inhparent = any ($1::regclass[]) and not exists (
       select from marketdata.archive a
       where a.table_name = any ($2::text[]) and a.hour = p.hour and a.dropped_at is not null
     )
     order by hour`,
    [sources.map((table) => `marketdata.${table}`), sources],
  )
  const hours = rows
    .map(({ hour }) => micros(hour))
    .filter((hour) => hour + HOUR_US > from && hour < to)
  if (!sources.includes('orderbook_topn')) return hours
  const lost = await lostBooks(client, hours)
  return hours.filter((hour) => !lost.has(hour))
}

/**
 * Hours whose rows of orderbook_topn were dropped after they had been rolled up. They are not
 * archived, so there is no other record of it.
 */
async function lostBooks(client: Client, hours: readonly Micros[]): Promise<ReadonlySet<number>> {
  const { rows } = await client.query<{ hour: number }>(
    `select (extract(epoch from h.hour) * 1000000)::float8 as hour
     from unnest($1::timestamptz[]) as h (hour)
     where to_regclass('marketdata.orderbook_topn_' || to_char(h.hour, 'YYYYMMDDHH24')) is null`,
    [hours.map(toIso)],
  )
  const lost = new Set<number>()
  for (const { hour } of rows) {
    const span = [toIso(micros(hour)), toIso(micros(hour + HOUR_US))]
    const { rowCount } = await givingLocksBack(client, () =>
      client.query(
        `select from marketdata.depth_1s
         where bucket >= $1 and bucket < $2 and book_count > 0 limit 1`,
        span,
      ),
    )
    if (rowCount === 1) lost.add(hour)
  }
  return lost
}
