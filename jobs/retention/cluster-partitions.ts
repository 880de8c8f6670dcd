/**
 * Drops days of marketdata.clusters by age. They are not archived: the cluster engine computes them
 * from trades again when somebody asks.
 */
import { inTransaction, type Pool } from '#core/node/pool.ts'
import { DAY_US, type Micros, micros, toIso } from '#core/time.ts'

/** A session that waits for this lock blocks all later ones; a later run tries again. */
const LOCK_LIMIT = '2s'

/** Names of partitions whose day ended more than `days` days ago; 0: none. */
export async function selectOldClusters(
  pool: Pool,
  days: number,
  now: Micros,
): Promise<readonly string[]> {
  if (days === 0) return []
  const { rows } = await pool.query<{ partition: string }>(
    `with part as materialized (
       select c.relname as partition, substring(c.relname from '_([0-9]{8})$') as digits
       from pg_inherits i join pg_class c on c.oid = i.inhrelid
       where i.inhparent = 'marketdata.clusters'::regclass
     )
     select partition from part
     where digits is not null
       and to_timestamp(digits, 'YYYYMMDD') + interval '1 day' <= $1::timestamptz
     order by 1`,
    [toIso(micros(now - days * DAY_US))],
  )
  return rows.map(({ partition }) => partition)
}

/** Returns its size [bytes]. */
export async function dropClusters(pool: Pool, partition: string): Promise<number> {
  return inTransaction(pool, async (client) => {
    await client.query(`set local lock_timeout = '${LOCK_LIMIT}'`)
    const { rows } = await client.query<{ byte_count: string }>(
      'select pg_total_relation_size($1::regclass) as byte_count',
      [`marketdata.${partition}`],
    )
    await client.query(`drop table marketdata.${partition}`)
    return Number(rows[0]!.byte_count)
  })
}
