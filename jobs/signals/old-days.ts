/** Drops days of marketdata.signals that are old enough, once their dataset is published. */
import type { ObjectStore } from '#core/node/object-store.ts'
import { inTransaction, type Pool } from '#core/node/pool.ts'
import { manifestKey } from '#core/object-keys.ts'
import { SIGNALS_SET } from '#core/signals/registry.ts'
import { addDays, type Day, dayOf, dayRange, fromMillis, toIso } from '#core/time.ts'
import type { RunLog } from '../runs/run.ts'

export interface OldDaysOptions {
  readonly pool: Pool
  readonly store: ObjectStore
  readonly keep_days: number
  readonly now: () => number
}

/** Reads and writes of the table go on meanwhile; a day that is in use is dropped later. */
const LOCK_LIMIT = '2s'

export async function dropOldDays(
  { pool, store, keep_days, now }: OldDaysOptions,
  log: RunLog,
): Promise<void> {
  const oldest_kept = addDays(dayOf(fromMillis(now())), -keep_days)
  const { rows } = await pool.query<{ partition: string; date: Day }>(
    `select c.relname as partition,
       to_char(to_date(right(c.relname, 8), 'YYYYMMDD'), 'YYYY-MM-DD') as date
     from pg_inherits i join pg_class c on c.oid = i.inhrelid
     where i.inhparent = 'marketdata.signals'::regclass order by c.relname`,
  )
  for (const { partition, date } of rows) {
    if (date >= oldest_kept || !(await isPublished(store, date))) continue
    await inTransaction(pool, async (client) => {
      await client.query(`set local lock_timeout = '${LOCK_LIMIT}'`)
      await client.query(`drop table marketdata.${client.escapeIdentifier(partition)}`)
      await client.query(
        `update marketdata.signal_progress
         set from_ts = greatest(from_ts, $1), books_from = greatest(books_from, $1),
           trades_to = greatest(trades_to, $1), books_to = greatest(books_to, $1)`,
        [toIso(dayRange(date).to)],
      )
    })
    log.info({ date }, 'Dropped a day of signals; its dataset has them.')
  }
}

async function isPublished(store: ObjectStore, date: Day): Promise<boolean> {
  const { dataset, schema_version } = SIGNALS_SET
  return (await store.get(manifestKey(dataset, schema_version, date))) !== undefined
}
