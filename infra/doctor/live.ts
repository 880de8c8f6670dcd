/** The live server: the tapes that it follows, and its login to Postgres. */
import { createPool, withClient } from '#core/node/pool.ts'
import { readEpoch } from '../../ingestor/live/epoch.ts'
import type { FollowedTape, LiveConfig } from '../../ingestor/live/config.ts'
import { openReader } from '../../ingestor/tape/reader.ts'
import { attempt, type Check, failure, fine, type Finding, warning } from './finding.ts'

const CONNECT_LIMIT_MS = 5_000
/** What a client that comes back may have to read. */
const TABLES = ['symbols', 'trades', 'book_ticker', 'depth_events', 'mark_price', 'gaps', 'archive']

export function liveChecks({ tapes, database_url, store }: LiveConfig): readonly Check[] {
  return [
    ...tapes.map((tape) => ({ check: 'live.tape', run: async () => [lookAtTape(tape)] })),
    { check: 'live.database', run: () => lookAtDatabase(database_url) },
    { check: 'live.archive', run: async () => [lookAtArchive(store !== undefined)] },
  ]
}

function lookAtTape({ ingestor_id, dir }: FollowedTape): Finding {
  const check = 'live.tape'
  try {
    const reader = openReader(dir, 'oldest')
    reader.close()
    return fine(check, `The tape of ${ingestor_id} in ${dir} can be read.`)
  } catch (error) {
    const { code, message } = error as { readonly code?: string; readonly message: string }
    const advice = {
      expected: `the tape of the ingestor ${ingestor_id}, which this user may read`,
      todo: 'Compare LIVE_TAPES with INGESTOR_ID and TAPE_DIR of the ingestors of this machine.',
    }
    // The live server waits for an ingestor that was never started.
    return code === 'tape_missing'
      ? warning(check, `There is no tape in ${dir} yet.`, advice)
      : failure(check, message, advice)
  }
}

function lookAtDatabase(database_url: string): Promise<readonly Finding[]> {
  const check = 'live.database'
  const pool = createPool(database_url, 'booktape-doctor', 1, CONNECT_LIMIT_MS)
  const look = (): Promise<readonly Finding[]> =>
    withClient(pool, async (client) => {
      await readEpoch(client)
      const { rows } = await client.query<{ name: string }>(
        `select name from unnest($1::text[]) as t (name)
         where not has_table_privilege('marketdata.' || name, 'select')`,
        [TABLES],
      )
      if (rows.length === 0) return [fine(check, 'Clients that come back can be served.')]
      const names = rows.map(({ name }) => name).join(', ')
      return [
        failure(check, `This login may not read ${names}.`, {
          expected: 'a login that may read the tables of marketdata',
          todo: 'Use the login of the gateway (booktape_reader), or that of the ingestor.',
        }),
      ]
    })
  return attempt(check, look, {
    expected: 'a connection, and the schema of this build',
    todo: 'Check DATABASE_URL of the live server, and whether Postgres runs.',
  }).finally(() => {
    // A connection that hangs must not keep the others waiting.
    void pool.end().catch(() => undefined)
  })
}

function lookAtArchive(has_store: boolean): Finding {
  const check = 'live.archive'
  if (has_store) return fine(check, 'Rows that left Postgres can be read from the archive.')
  return warning(check, 'No object store is set.', {
    expected: 'S3_*, so that clients can resume after rows that left Postgres',
    todo: 'Set the S3_* variables of the jobs for the live server too.',
  })
}
