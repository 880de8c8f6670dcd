/**
 * Handles late depth: sets the symbol's watermark back to the first row of orderbook_topn that it
 * may change. The run then rewrites all rows from there.
 *
 * Invariants
 * 1. The threshold of depth_events is raised and committed before depth below it is read. So every
 *    row that a run does not see is in the log of invalidations.
 * 2. An invalidation is deleted in the transaction that sets the watermark back.
 * 3. If the depth is no longer in Postgres, rows computed from it stay as they are.
 */
import { SNAPSHOT_LATE_US } from '#core/book-replay.ts'
import { type Pool, withClient, inTransaction, type Client } from '#core/node/pool.ts'
import { type Micros, micros, toIso } from '#core/time.ts'

/** Returns the ids of symbols whose watermark was set back: books kept in memory are outdated. */
export async function rewindForLateDepth(pool: Pool): Promise<readonly number[]> {
  return inTransaction(pool, async (client) => {
    const rewound: number[] = []
    for (const late of await takeInvalidations(client)) {
      const restart = await restartOf(client, late)
      if (restart === undefined) continue
      const { rowCount } = await client.query(SET_BACK, [late.symbol_id, toIso(restart)])
      if (rowCount === 1) rewound.push(late.symbol_id)
    }
    return rewound
  })
}

/** Call before depth up to `to` is read. */
export async function announceDepthRead(pool: Pool, to: Micros): Promise<void> {
  await withClient(pool, (client) =>
    client.query("select marketdata.raise_invalidation_threshold('depth_events', $1)", [toIso(to)]),
  )
}

interface LateDepth {
  readonly symbol_id: number
  readonly lowest: Micros
}

async function takeInvalidations(client: Client): Promise<readonly LateDepth[]> {
  const { rows } = await client.query<{ symbol_id: string; lowest: number }>(
    `with taken as (
       delete from marketdata.invalidations
       where consumer = 'orderbook_topn' and table_name = 'depth_events'
       returning symbol_id, lowest
     )
     select symbol_id, (extract(epoch from min(lowest)) * 1000000)::float8 as lowest
     from taken group by symbol_id order by symbol_id`,
  )
  return rows.map(({ symbol_id, lowest }) => ({
    symbol_id: Number(symbol_id),
    lowest: micros(lowest),
  }))
}

/**
 * The earliest time whose row the late depth may change. The time between it and the diff before it
 * may now be known, and a late snapshot may apply up to SNAPSHOT_LATE_US before its own time.
 * Undefined if the depth around it is no longer in Postgres.
 */
async function restartOf(
  client: Client,
  { symbol_id, lowest }: LateDepth,
): Promise<Micros | undefined> {
  const { rows } = await client.query<{ restart: number | null }>(RESTART, [
    symbol_id,
    toIso(lowest),
    SNAPSHOT_LATE_US,
  ])
  const restart = rows[0]?.restart ?? undefined
  return restart === undefined ? undefined : micros(restart)
}

/**
 * If no snapshot remains before that time, the restart is the first diff after the first remaining
 * snapshot: earlier rows were computed from depth that is gone.
 */
const RESTART = `with whole as (
    select coalesce(max(a.hour + interval '1 hour'), '-infinity') as from_ts
    from marketdata.archive a join marketdata.symbols s on s.exchange = a.exchange
    where s.id = $1 and a.table_name = 'depth_events' and a.dropped_at is not null
      and a.hour <= $2::timestamptz
  ), wanted as (
    select least($2::timestamptz - $3 * interval '1 microsecond', coalesce(
      marketdata.nearest_ts('depth_events', $1, whole.from_ts, $2::timestamptz, true, 'diff'),
      $2::timestamptz)) as ts, whole.from_ts
    from whole
  ), snapshot as (
    select marketdata.nearest_ts('depth_events', $1, wanted.from_ts, 'infinity', false, 'snapshot')
      as first_ts
    from wanted
  ), begin as (
    select case when snapshot.first_ts <= wanted.ts then wanted.ts
      when snapshot.first_ts is not null then marketdata.nearest_ts('depth_events', $1,
        snapshot.first_ts + interval '1 microsecond', 'infinity', false, 'diff') end as ts
    from wanted, snapshot
    where $2::timestamptz >= wanted.from_ts
  )
  select (extract(epoch from ts) * 1000000)::float8 as restart from begin where ts is not null`

/** A symbol that has not been read yet is left alone: its first run reads the late rows anyway. */
const SET_BACK = `update marketdata.orderbook_topn_watermarks
  set covered_to = case when covered_to is null then null else least(covered_to, $2) end, read_to = $2
  where symbol_id = $1 and coalesce(read_to, covered_to) > $2`
