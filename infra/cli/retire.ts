/** `npx booktape retire <ingestor-id>`: ends the streams of an ingestor that will not run again. */
import { Command } from 'commander'
import { OperatorError } from '#core/errors.ts'
import { createPool, inTransaction, type Pool } from '#core/node/pool.ts'
import { databaseUrl } from './options.ts'

export function retireCommand(): Command {
  return new Command('retire')
    .description('end the streams of an ingestor that will not run again, closing their open gaps')
    .argument('<ingestor-id>', 'INGESTOR_ID of the ingestor')
    .action(async (ingestor_id: string) => {
      const pool = createPool(databaseUrl(), 'booktape-retire', 1)
      try {
        const count = await retireIngestor(pool, ingestor_id)
        process.stdout.write(`${count} streams of ${ingestor_id} have ended (cause delisted).\n`)
      } finally {
        await pool.end()
      }
    })
}

/**
 * Gives each stream the cause `delisted` from the last time it was recorded, as a mark on the tape
 * would do. Returns the number of streams that had not ended before. If the ingestor starts again,
 * its streams start again. Errors: ingestor_unknown, ingestor_running.
 */
export async function retireIngestor(pool: Pool, ingestor_id: string): Promise<number> {
  return inTransaction(pool, async (client) => {
    const { rows } = await client.query<{ is_running: boolean }>(
      `select updated_at > now() - interval '10 seconds' as is_running
        from marketdata.tape_positions where ingestor_id = $1 for update`,
      [ingestor_id],
    )
    const [known] = rows
    if (known === undefined) {
      const hint = 'To list all: select ingestor_id from marketdata.tape_positions.'
      const message = `No ingestor ${ingestor_id} has written to this database.`
      throw new OperatorError('ingestor_unknown', message, { hint })
    }
    if (known.is_running) {
      const message = `Ingestor ${ingestor_id} wrote within the last 10 seconds.`
      const hint = 'Stop it first, and try again 10 seconds later.'
      throw new OperatorError('ingestor_running', message, { hint })
    }
    const { rowCount } = await client.query(RETIRE, [ingestor_id])
    return rowCount ?? 0
  })
}

// The end time is computed as in the view gap_ledger (migration 20).
const RETIRE = `update marketdata.stream_offsets o
  set deaf_cause = 'delisted',
    lost_ts = coalesce(o.lost_ts, o.ts_exchange
      + greatest(p.covered_until - o.ts_ingest - interval '60 seconds', interval '0')),
    lost_at = coalesce(o.lost_at, p.covered_until, o.ts_ingest)
  from marketdata.tape_positions p
  where o.ingestor_id = $1 and p.ingestor_id = $1 and o.deaf_cause is distinct from 'delisted'`
