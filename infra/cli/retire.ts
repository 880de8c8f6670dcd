/** `npx booktape retire <ingestor-id>`: ends the streams of an ingestor that will not run again. */
import { Command } from 'commander'
import { OperatorError } from '#core/errors.ts'
import { createPool, inTransaction, type Pool } from '#core/node/pool.ts'
import { databaseUrl } from './options.ts'

export function retireCommand(): Command {
  return new Command('retire')
    .description('ends the streams of an ingestor that will not run again: they are no longer open holes')
    .argument('<ingestor-id>', 'its INGESTOR_ID')
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
 * As if its tape had ended with a mark that says so: each stream has the cause `delisted` from when
 * it was last heard. Returns how many had not ended before. Should the ingestor start again, they
 * begin anew. Errors: ingestor_unknown, ingestor_running.
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
      const hint = 'select ingestor_id from marketdata.tape_positions names them all.'
      throw new OperatorError('ingestor_unknown', `No ingestor ${ingestor_id} has written here.`, { hint })
    }
    if (known.is_running) {
      throw new OperatorError('ingestor_running', `Ingestor ${ingestor_id} wrote within the last ten seconds.`, {
        hint: 'Stop it first, and try again ten seconds later.',
      })
    }
    const { rowCount } = await client.query(RETIRE, [ingestor_id])
    return rowCount ?? 0
  })
}

// The moment is that of the view gap_ledger (migration 20).
const RETIRE = `update marketdata.stream_offsets o
  set deaf_cause = 'delisted',
    lost_ts = coalesce(o.lost_ts, o.ts_exchange
      + greatest(p.covered_until - o.ts_ingest - interval '60 seconds', interval '0')),
    lost_at = coalesce(o.lost_at, p.covered_until, o.ts_ingest)
  from marketdata.tape_positions p
  where o.ingestor_id = $1 and p.ingestor_id = $1 and o.deaf_cause is distinct from 'delisted'`
