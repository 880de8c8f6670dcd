/**
 * Finds rows that arrived late in a day whose finished hours an earlier build kept. The writer logs
 * rows that it adds below a table's threshold (sql/migrations/0060_late_for_features.sql).
 *
 * Invariants
 * 1. The thresholds are raised to T and committed before a view of the day is opened. So every row
 *    before T that the view does not see will be logged.
 * 2. A row and its log entry become visible together. An entry that an earlier view did not see
 *    belongs to rows that it did not see.
 * 3. Entries are kept for KEPT_H hours. A view older than that cannot tell what has been logged.
 * 4. A view of a database that was since restored from a backup cannot either.
 */
import type { Client, Pool } from '#core/node/pool.ts'
import { DAY_US, dayRange, type Day, type Micros, micros, toIso } from '#core/time.ts'
import { FEATURE_CHANNELS } from './events.ts'

const KEPT_H = 12
/** An older view is not compared. */
const SEEN_MAX_H = 6

/** A view of the database. */
export interface Seen {
  /** The server's own pg_snapshot, as text. */
  readonly snapshot: string
  /** When it was opened, by the server's clock [s since 1970]. */
  readonly at_s: number
}

export interface LateRows {
  /** This view. */
  readonly now: Seen
  /** Earliest late row by symbol_id since the earlier view; undefined if that cannot be known. */
  readonly lowest: ReadonlyMap<number, Micros> | undefined
}

/** Makes writers log rows before `to` from now on. Waits for those that began before. */
export async function announceFeatureRead(pool: Pool, to: Micros): Promise<void> {
  for (const channel of FEATURE_CHANNELS) {
    await pool.query('select marketdata.raise_invalidation_threshold($1, $2)', [channel, toIso(to)])
  }
}

/** Rows added to the day or the day before it since `seen`. Runs in the view's transaction. */
export async function selectLateSince(
  client: Client,
  day: Day,
  seen: Seen | undefined,
): Promise<LateRows> {
  const found = await client.query<{ snapshot: string; at_s: number; is_known: boolean | null }>(
    `select pg_current_snapshot()::text as snapshot, extract(epoch from now())::float8 as at_s,
       extract(epoch from now()) between $2::float8 and $2::float8 + $3 * 3600
         and pg_snapshot_xmax($1::pg_snapshot) <= pg_snapshot_xmax(pg_current_snapshot())
         and not exists (
           select from marketdata.restores where began_at >= to_timestamp($2::float8)
         ) as is_known`,
    [seen?.snapshot ?? null, seen?.at_s ?? null, SEEN_MAX_H],
  )
  const { is_known, ...now } = found.rows[0]!
  if (seen === undefined || is_known !== true) return { now, lowest: undefined }
  const { from, to } = dayRange(day)
  const { rows } = await client.query<{ symbol_id: string; lowest: number }>(
    `select symbol_id, (extract(epoch from min(lowest)) * 1000000)::float8 as lowest
     from marketdata.invalidations
     where consumer = 'features' and greatest >= $2 and lowest < $3
       and not pg_visible_in_snapshot(logged_xid, $1::pg_snapshot)
     group by symbol_id`,
    [seen.snapshot, toIso(micros(from - DAY_US)), toIso(to)],
  )
  const lowest = rows.map((row) => [Number(row.symbol_id), micros(row.lowest)] as const)
  return { now, lowest: new Map(lowest) }
}

/** Also of signals: nobody takes them while that job is off. */
export async function forgetLateRows(pool: Pool): Promise<void> {
  await pool.query(
    `delete from marketdata.invalidations
     where consumer in ('features', 'signals') and logged_at < now() - $1 * interval '1 hour'`,
    [KEPT_H],
  )
}
