/**
 * Closes gaps of trades that have been filled since: their ids came late, out of order, or from a
 * second recording. Sends no requests. While an ingestor runs, the repairer does this and more.
 */
import type { Pool } from '#core/node/pool.ts'
import { type Micros, toIso } from '#core/time.ts'
import { selectLocatedGaps, selectMissing } from './ledger.ts'

/** Returns the number of gaps closed. */
export async function closeFilledGaps(pool: Pool, now: Micros): Promise<number> {
  const client = await pool.connect()
  try {
    let closed_count = 0
    for (const gap of await selectLocatedGaps(client)) {
      const { count, stored_count } = await selectMissing(client, gap)
      if (count > 0) continue
      await client.query(
        `update marketdata.gaps set repaired_at = $2, repaired_count = $3, repair_note = null
          where id = $1 and repaired_at is null`,
        [gap.gap_id, toIso(now), stored_count],
      )
      closed_count++
    }
    return closed_count
  } finally {
    client.release()
  }
}
