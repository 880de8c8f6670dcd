/** Hours in which trades of an exchange may be stored: in Postgres, or in the archive. */
import type { Pool } from '#core/node/pool.ts'
import type { Exchange } from '#core/symbols.ts'
import { HOUR_US, type Micros, micros, toIso } from '#core/time.ts'

/** Starts of the hours that touch [from, to), oldest first. Others have no trades. */
export async function selectDataHours(
  pool: Pool,
  exchange: Exchange,
  from: Micros,
  to: Micros,
): Promise<readonly Micros[]> {
  const { rows } = await pool.query<{ hour: number }>(
    `with part as materialized (
       select substring(c.relname from '_([0-9]{10})$') as digits
       from pg_inherits i join pg_class c on c.oid = i.inhrelid
       where i.inhparent = 'marketdata.trades'::regclass
     )
     select (extract(epoch from hour) * 1000000)::float8 as hour from (
       select to_timestamp(digits || '+00', 'YYYYMMDDHH24TZH') as hour from part
       where digits is not null
       union
       select hour from marketdata.archive
       where exchange = $1 and table_name = 'trades' and row_count > 0
         and hour > $2::timestamptz - interval '1 hour' and hour < $3
     ) h
     where hour > $2::timestamptz - interval '1 hour' and hour < $3
     order by 1`,
    [exchange, toIso(from), toIso(to)],
  )
  return rows.map(({ hour }) => micros(hour))
}

/** [from, to) of the hour that is inside. */
export function within(
  hour: Micros,
  from: Micros,
  to: Micros,
): { readonly from: Micros; readonly to: Micros } {
  return { from: micros(Math.max(hour, from)), to: micros(Math.min(hour + HOUR_US, to)) }
}
