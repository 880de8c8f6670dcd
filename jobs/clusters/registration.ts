/**
 * The engine in the list of those that late trades are logged for. Whoever is in the list has to
 * take its entries out of the log; so an engine that is gone is taken off the list, and one that
 * comes back begins with an empty table and a new epoch.
 */
import { inTransaction, type Pool } from '#core/node/pool.ts'
import { lockForSettling } from './state.ts'

/** Returns false if it was registered already. Waits for writers that have read the list. */
export async function registerEngine(pool: Pool): Promise<boolean> {
  return inTransaction(pool, async (client) => {
    await lockForSettling(client)
    const { rowCount } = await client.query(
      `update marketdata.invalidation_thresholds set consumers = consumers || '{clusters}'
       where table_name = 'trades' and not consumers @> '{clusters}'`,
    )
    if (rowCount === 0) return false
    await client.query(`delete from marketdata.invalidations where consumer = 'clusters'`)
    await client.query('truncate marketdata.clusters')
    await client.query('delete from marketdata.cluster_versions')
    await client.query('update marketdata.cluster_epoch set epoch = gen_random_uuid()')
    return true
  })
}

/** After that long without an engine, late trades are no longer logged for it. */
const GONE_H = 48

/** Returns true if the engine was taken off the list. */
export async function retireGoneEngine(pool: Pool): Promise<boolean> {
  return inTransaction(pool, async (client) => {
    await lockForSettling(client)
    const { rowCount } = await client.query(
      `update marketdata.invalidation_thresholds
       set consumers = array_remove(consumers, 'clusters')
       where table_name = 'trades' and consumers @> '{clusters}' and exists (
         select from marketdata.invalidations
         where consumer = 'clusters' and logged_at < now() - $1 * interval '1 hour'
       )`,
      [GONE_H],
    )
    if (rowCount === 0) return false
    await client.query(`delete from marketdata.invalidations where consumer = 'clusters'`)
    return true
  })
}
