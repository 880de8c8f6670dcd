/** The tape positions that the writers have committed. The live server begins there. */
import type { MarkPrice } from '#core/market.ts'
import { type Client, inTransaction, type Pool } from '#core/node/pool.ts'
import { type Micros, micros } from '#core/time.ts'
import { readMarkPrices, readOffsets } from '../writer/resume.ts'
import type { StreamOffset } from '../writer/stream-table.ts'

export interface CommittedState {
  /** Undefined if this ingestor has not committed anything yet. */
  readonly tape_id: string | undefined
  readonly position: number
  readonly offsets: readonly StreamOffset[]
  readonly mark_prices: readonly MarkPrice[]
  readonly covered_until: Micros | undefined
}

/** All values are from one snapshot of the database. */
export async function readCommittedState(pool: Pool, ingestor_id: string): Promise<CommittedState> {
  return inTransaction(pool, async (client) => {
    await client.query('set transaction isolation level repeatable read read only')
    const { rows } = await client.query<{
      tape_id: string
      position: string
      covered_until: number | null
    }>(
      `select tape_id, tape_position as position,
         (extract(epoch from covered_until) * 1000000)::float8 as covered_until
       from marketdata.tape_positions where ingestor_id = $1`,
      [ingestor_id],
    )
    const covered_until = rows[0]?.covered_until ?? undefined
    return {
      tape_id: rows[0]?.tape_id,
      position: Number(rows[0]?.position ?? 0),
      offsets: await readOffsets(client, ingestor_id),
      mark_prices: await readMarkPrices(client, ingestor_id),
      covered_until: covered_until === undefined ? undefined : micros(covered_until),
    }
  })
}

/** Every ingestor has committed what it received up to this time; 0 if unknown. */
export async function readCoveredUntil(
  client: Client,
  ingestor_ids: readonly string[],
): Promise<number> {
  const { rows } = await client.query<{ covered_until: number | null; known: number }>(
    `select (extract(epoch from min(covered_until)) * 1000000)::float8 as covered_until,
       count(covered_until)::int as known
     from marketdata.tape_positions where ingestor_id = any ($1)`,
    [ingestor_ids],
  )
  const [found] = rows
  return found?.known === ingestor_ids.length ? (found.covered_until ?? 0) : 0
}
