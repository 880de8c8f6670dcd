/**
 * The numbering of messages. A seq is the time of receipt of a row of this database, so the epoch
 * is the database's: it outlives every program and every tape.
 */
import { OperatorError } from '#core/errors.ts'
import type { Client } from '#core/node/pool.ts'

export interface Epoch {
  readonly id: string
  /** Microseconds since 1970. */
  readonly began_at: number
}

/** Throws OperatorError `schema_old` if the migrations were not applied. */
export async function readEpoch(client: Client): Promise<Epoch> {
  const { rows: tables } = await client.query<{ name: string | null }>(
    `select to_regclass('marketdata.live_epoch')::text as name`,
  )
  if (tables[0]?.name === null) {
    throw new OperatorError('schema_old', 'The database lacks the table live_epoch.', {
      hint: 'Apply the migrations with `npx booktape migrate` and start the live server again.',
    })
  }
  const { rows } = await client.query<{ epoch: string; began_at: number }>(
    `select epoch::text as epoch, (extract(epoch from began_at) * 1000000)::float8 as began_at
     from marketdata.live_epoch`,
  )
  const [found] = rows
  if (found !== undefined) return { id: found.epoch, began_at: found.began_at }
  throw new OperatorError('epoch_missing', 'The table live_epoch has no row.', {
    hint: 'Insert one: insert into marketdata.live_epoch default values.',
  })
}
