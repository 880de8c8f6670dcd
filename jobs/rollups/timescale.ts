/**
 * The rollups as Timescale's continuous aggregates. They are made once; then Timescale refreshes
 * them by its own policies. See sql/timescale/README.md for what has and has not been tried.
 */
import { readFile } from 'node:fs/promises'
import { type Pool, withClient } from '#core/node/pool.ts'
import { type Micros, toIso } from '#core/time.ts'

const AGGREGATES = new URL('../../sql/timescale/continuous_aggregates.sql', import.meta.url)
/** What refresh_continuous_aggregate may be asked for; depth_1s is a view of the last two. */
const NAMES = ['bt_1s', 'trade_1s', 'depth_event_1s', 'depth_state_1s']

/** Puts the aggregates in the place of our tables, which nothing has filled yet. */
export async function keepAggregates(pool: Pool): Promise<void> {
  const { rows } = await pool.query<{ is_made: boolean }>(
    "select to_regclass('marketdata.depth_event_1s') is not null as is_made",
  )
  if (rows[0]!.is_made) return
  await pool.query(await readFile(AGGREGATES, 'utf8'))
}

export async function refreshAggregates(
  pool: Pool,
  { from, to }: { readonly from: Micros; readonly to: Micros },
): Promise<void> {
  for (const name of NAMES) {
    // Not allowed inside a transaction.
    await withClient(pool, (client) =>
      client.query(
        'call refresh_continuous_aggregate($1::regclass, $2::timestamptz, $3::timestamptz)',
        [`marketdata.${name}`, toIso(from), toIso(to)],
      ),
    )
  }
}
