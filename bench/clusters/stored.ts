/** What the cluster engine stored: its size, its delay, and whether it is right. */
import type { Pool } from '#core/node/pool.ts'

export interface StoredClusters {
  readonly symbol_count: number
  readonly minutes: number
  readonly cells: number
  /** Table, index and what is stored out of line. */
  readonly mb: number
  /** Per day and symbol, if all hours are like these. */
  readonly mb_per_symbol_day: number
}

export async function sizeOfClusters(pool: Pool): Promise<StoredClusters> {
  const { rows } = await pool.query<Omit<StoredClusters, 'mb_per_symbol_day'>>(
    `select count(distinct symbol_id)::int as symbol_count, count(*)::int as minutes,
       coalesce(sum(cardinality(price)), 0)::int as cells,
       (select coalesce(sum(pg_total_relation_size(inhrelid)), 0) from pg_inherits
        where inhparent = 'marketdata.clusters'::regclass)::float8 / 1e6 as mb
     from marketdata.clusters`,
  )
  const found = rows[0]!
  const per_minute = found.mb / Math.max(1, found.minutes)
  return {
    ...found,
    mb: Number(found.mb.toFixed(1)),
    mb_per_symbol_day: Number((per_minute * 1_440).toFixed(2)),
  }
}

/** Seconds from the end of a minute to the commit of its row, of rows committed in the span. */
export async function storedAfter(
  pool: Pool,
  from_us: number,
  to_us: number,
): Promise<{ readonly p50: number; readonly max: number }> {
  const { rows } = await pool.query<{ p50: number; max: number }>(
    `select p[1] as p50, p[2] as max from (
       select percentile_disc(array[0.5, 1]) within group (order by s) as p from (
         select round(extract(epoch from at - bucket - interval '1 minute'), 1)::float8 as s from (
           select pg_xact_commit_timestamp(xmin) as at, bucket from marketdata.clusters) as stored
         -- Those of the hour before the engine began came with its first round.
         where extract(epoch from at) * 1e6 between $1 and $2
           and extract(epoch from bucket) * 1e6 + 60e6 >= $1
       ) as waits) as summary`,
    [from_us, to_us],
  )
  return rows[0]!
}

/** Minutes whose number of trades or whose volume is not that of the raw trades. */
export async function minutesAgainstTrades(pool: Pool): Promise<number> {
  const { rows } = await pool.query<{ count: number }>(
    `with traded as (
       select symbol_id, date_trunc('minute', ts_exchange) as bucket, count(*) as trades,
         sum(qty::numeric) as volume
       from marketdata.trades group by 1, 2
     ), stored as (
       select symbol_id, bucket,
         (select sum(n) from unnest(buy_count || sell_count) as n) as trades,
         (select sum(q::numeric) from unnest(buy_qty || sell_qty) as q) as volume
       from marketdata.clusters
     )
     select count(*)::int as count from stored s left join traded t using (symbol_id, bucket)
     where s.trades is distinct from t.trades or s.volume is distinct from t.volume`,
  )
  return rows[0]!.count
}
