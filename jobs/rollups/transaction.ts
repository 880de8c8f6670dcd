/**
 * The transaction of each step of a refresh. It locks the rollup's watermark, replaces whole
 * seconds from committed raw rows, and is small enough to be repeated.
 */
import { type Client, inTransaction, type Pool } from '#core/node/pool.ts'
import { toIso } from '#core/time.ts'
import type { Rollup } from './rollup.ts'
import type { Slice } from './slices.ts'

/**
 * If the server crashes, a transaction that was just committed may be lost as a whole; the next run
 * repeats it. Sums of doubles depend on row order: one worker reads the index in key order.
 */
const SETTINGS = `set local synchronous_commit = off;
  set local max_parallel_workers_per_gather = 0;
  set local enable_seqscan = off;
  set local jit = off;
  set local lock_timeout = '30s';
  set local statement_timeout = '10min';
  set local idle_in_transaction_session_timeout = '1min'`

/** `use` gets the watermark in microseconds, or -Infinity before the first refresh. */
export function inRefresh<T>(
  pool: Pool,
  rollup: Rollup,
  use: (client: Client, watermark: number) => Promise<T>,
): Promise<T> {
  return inTransaction(pool, async (client) => {
    await client.query(SETTINGS)
    return use(client, await selectWatermark(client, rollup, 'for update'))
  })
}

/** In microseconds; -Infinity before the first refresh. */
export async function selectWatermark(
  client: Client,
  { name }: Rollup,
  locking: 'for update' | '' = '',
): Promise<number> {
  const { rows } = await client.query<{ watermark: number }>(
    `select (extract(epoch from watermark) * 1000000)::float8 as watermark
     from marketdata.rollup_watermarks where rollup = $1 ${locking}`,
    [name],
  )
  return rows[0]!.watermark
}

/** Replaces the slice's seconds. Returns the new number of rows. */
export async function replaceSlice(
  client: Client,
  { name }: Rollup,
  { from, to, symbol_ids }: Slice,
): Promise<number> {
  const span = [symbol_ids, toIso(from), toIso(to)]
  await client.query('select marketdata.ensure_day($1, $2)', [name, toIso(from)])
  await client.query(
    `delete from marketdata.${name}
     where symbol_id = any ($1::bigint[]) and bucket >= $2 and bucket < $3`,
    span,
  )
  // The function returns rows of the table's type.
  const { rowCount } = await client.query(
    `insert into marketdata.${name}
     select r.* from unnest($1::bigint[]) as s (symbol_id)
     cross join lateral marketdata.${name}_of(s.symbol_id, $2, $3) r`,
    span,
  )
  await client.query(LOG_FOR_ARCHIVE, [name, symbol_ids[0], toIso(from), toIso(to)])
  return rowCount ?? 0
}

/**
 * Logs the change for the archive if it may already have the slice's seconds. The archive works by
 * hour, so one symbol is enough for the slice.
 */
const LOG_FOR_ARCHIVE = `with threshold as (
    select consumers, threshold from marketdata.invalidation_thresholds
    where table_name = 'archive.' || $1::text for share
  )
  insert into marketdata.invalidations (consumer, table_name, symbol_id, lowest, greatest)
  select consumer, $1, $2, $3, $4::timestamptz - interval '1 microsecond'
  from threshold cross join unnest(consumers) as consumer
  where threshold > $3`

/** Ids of all symbols. An index probe skips those without rows in a slice. */
export async function selectSymbolIds(client: Client): Promise<readonly number[]> {
  const { rows } = await client.query<{ id: string }>(
    'select id from marketdata.symbols order by id',
  )
  return rows.map(({ id }) => Number(id))
}
