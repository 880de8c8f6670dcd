/** Ends the streams of an ingestor that has stopped, in the database. */
import { OperatorError } from '#core/errors.ts'
import { inTransaction, type Pool } from '#core/node/pool.ts'

/**
 * Gives each stream the cause `delisted` from the last time it was recorded, as a mark on the tape
 * would do. Nobody waits for the ingestor's heartbeat any more. Returns the number of streams that
 * had not ended before. If the ingestor starts again, its streams start again. Errors:
 * ingestor_unknown, ingestor_running.
 */
export function retireIngestor(pool: Pool, ingestor_id: string): Promise<number> {
  return endStreams(pool, ingestor_id, RETIRE)
}

/**
 * Forgets the streams that the ingestor recorded until it stopped, because another one now records
 * them. If it starts again, they are new streams without a gap before them. Streams that were
 * lost when it stopped keep their open gap. Returns the number of streams that it forgot. Errors:
 * ingestor_unknown, ingestor_running.
 */
export function forgetStreams(pool: Pool, ingestor_id: string): Promise<number> {
  return endStreams(pool, ingestor_id, FORGET)
}

async function endStreams(pool: Pool, ingestor_id: string, statement: string): Promise<number> {
  return inTransaction(pool, async (client) => {
    const { rows } = await client.query<{ is_running: boolean }>(IS_RUNNING, [ingestor_id])
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
    const { rowCount } = await client.query(statement, [ingestor_id])
    await client.query(UNLIST, [ingestor_id])
    return rowCount ?? 0
  })
}

/** An ingestor that reported its own end is not running, however recently it wrote. */
const IS_RUNNING = `
  select p.updated_at > now() - interval '10 seconds' and not exists (
      select from marketdata.ingestors i
      where i.ingestor_id = p.ingestor_id and i.state = 'stopped' and i.seen_at >= p.updated_at
    ) as is_running
  from marketdata.tape_positions p where p.ingestor_id = $1 for update`

/**
 * Exchange time up to which a stream `o` of an ingestor with the tape position `p` was certainly
 * recorded, if the ingestor stopped now. As in the view gap_ledger.
 */
export const RECORDED_TO = `o.ts_exchange
  + greatest(p.covered_until - o.ts_ingest - interval '60 seconds', interval '0')`

const RETIRE = `update marketdata.stream_offsets o
  set deaf_cause = 'delisted',
    lost_ts = coalesce(o.lost_ts, ${RECORDED_TO}),
    lost_at = coalesce(o.lost_at, p.covered_until, o.ts_ingest)
  from marketdata.tape_positions p
  where o.ingestor_id = $1 and p.ingestor_id = $1 and o.deaf_cause is distinct from 'delisted'`

/** Its next heartbeat, if it starts again, adds it anew. */
const UNLIST = 'delete from marketdata.ingestors where ingestor_id = $1'

const FORGET = `delete from marketdata.stream_offsets
  where ingestor_id = $1 and deaf_cause is null`
