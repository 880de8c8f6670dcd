/**
 * Brings one rollup up to date: first recomputes seconds below the watermark that became invalid,
 * then raises the watermark slice by slice. Each step is one transaction that also records what it
 * has settled, so the next run completes a killed one.
 *
 * Invariants
 * 1. The thresholds of the sources are raised and committed before rows below them are read. So
 *    every row that a refresh does not see is in the log of invalidations.
 * 2. An invalidation is deleted in the transaction that rewrites its seconds. Its rows were
 *    committed together with it, so that transaction sees them.
 * 3. A refresh locks the watermark's row first, so two refreshes of one rollup take turns.
 * 4. A second is replaced as a whole, and depends only on the raw rows in it.
 */
import { type Client, type Pool, withClient } from '#core/node/pool.ts'
import { hourStart, type Micros, micros, toIso } from '#core/time.ts'
import type { Rollup } from './rollup.ts'
import { cutSpans, type SymbolSpan } from './slices.ts'
import { refreshTarget } from './target.ts'
import { inRefresh, replaceSlice, selectSymbolIds, selectWatermark } from './transaction.ts'
import { wholeHours } from './whole-hours.ts'

export interface Refreshed extends Recomputed {
  /** In microseconds; -Infinity before the first refresh. */
  readonly watermark: number
}

interface Recomputed {
  /** Number of seconds written, over all symbols. */
  readonly row_count: number
  /** Number of settled invalidations. */
  readonly invalidation_count: number
  /** Those among them whose raw rows are gone: the rollup stays as it was. */
  readonly beyond_raw_count: number
}

/** An abort ends the refresh early, between two steps. */
export async function refreshRollup(
  pool: Pool,
  rollup: Rollup,
  now: Micros,
  signal: AbortSignal,
): Promise<Refreshed> {
  const recomputed = await recomputeInvalidated(pool, rollup, signal)
  const { target, ...found } = await withClient(pool, async (client) => {
    const watermark = await selectWatermark(client, rollup)
    return { watermark, target: await refreshTarget(client, rollup, watermark, now) }
  })
  if (target === undefined) return { ...recomputed, ...found }
  await raiseThresholds(pool, rollup, target)
  let { row_count } = recomputed
  let { watermark } = found
  while (watermark < target && !signal.aborted) {
    const step = await advance(pool, rollup, target)
    row_count += step.row_count
    watermark = step.watermark
  }
  return { ...recomputed, row_count, watermark }
}

/** Recomputes the seconds of [from, to) below the watermark. Returns the number written. */
export async function recompute(
  pool: Pool,
  rollup: Rollup,
  { from, to }: { readonly from: Micros; readonly to: Micros },
  signal: AbortSignal,
): Promise<number> {
  const slices = await inRefresh(pool, rollup, async (client, watermark) => {
    const end = Math.min(to, watermark)
    const spans = await spansOfAll(client, from, end)
    return cutSpans(spans, await wholeHours(client, rollup, from, end))
  })
  let row_count = 0
  for (const slice of slices) {
    if (signal.aborted) break
    row_count += await inRefresh(pool, rollup, async (client) => {
      const hours = await wholeHours(client, rollup, slice.from, slice.to)
      return hours.length === 0 ? 0 : replaceSlice(client, rollup, slice)
    })
  }
  return row_count
}

/** Limits of one transaction: invalidations that it reads, and hours that it recomputes. */
const INVALIDATIONS_MAX = 20_000
const HOURS_AT_ONCE = 3

async function recomputeInvalidated(
  pool: Pool,
  rollup: Rollup,
  signal: AbortSignal,
): Promise<Recomputed> {
  const sum = { row_count: 0, invalidation_count: 0, beyond_raw_count: 0 }
  let has_more = true
  while (has_more && !signal.aborted) {
    const step = await inRefresh(pool, rollup, (client, watermark) =>
      recomputeSome(client, rollup, watermark),
    )
    sum.row_count += step.row_count
    sum.invalidation_count += step.invalidation_count
    sum.beyond_raw_count += step.beyond_raw_count
    has_more = step.has_more
  }
  return sum
}

async function recomputeSome(
  client: Client,
  rollup: Rollup,
  watermark: number,
): Promise<Recomputed & { readonly has_more: boolean }> {
  const found = await selectInvalidations(client, rollup)
  // Spans above the watermark are computed when the watermark passes them.
  const below = found
    .filter((span) => span.from < watermark)
    .map((span) => ({ ...span, to: Math.min(span.to, watermark) }))
  const from = below.reduce((lowest, span) => Math.min(lowest, span.from), Infinity)
  const hours = below.length === 0 ? [] : await wholeHours(client, rollup, from, watermark)
  const slices = cutSpans(below, hours)
  const recomputed_hours = [...new Set(slices.map((slice) => hourStart(slice.from)))]
  // The partitions of each hour stay locked until the commit.
  const end = recomputed_hours[HOURS_AT_ONCE] ?? Infinity
  let row_count = 0
  for (const slice of slices) {
    if (slice.from < end) row_count += await replaceSlice(client, rollup, slice)
  }
  const settled = found.filter(({ from: begin, to }) => to <= end || begin >= watermark)
  await settle(client, settled, found, end)
  const settled_ids = new Set(settled.map(({ id }) => id))
  const beyond = below.filter(({ id, ...span }) => {
    return settled_ids.has(id) && cutSpans([span], hours).length === 0
  })
  return {
    row_count,
    invalidation_count: settled.length,
    beyond_raw_count: beyond.length,
    has_more: settled.length < found.length || found.length === INVALIDATIONS_MAX,
  }
}

interface Invalidation extends SymbolSpan {
  readonly id: string
}

async function selectInvalidations(
  client: Client,
  { sources }: Rollup,
): Promise<readonly Invalidation[]> {
  const { rows } = await client.query<{
    id: string
    symbol_id: string
    lowest: number
    greatest: number
  }>(
    `select id, symbol_id,
       (extract(epoch from lowest) * 1000000)::float8 as lowest,
       (extract(epoch from greatest) * 1000000)::float8 as greatest
     from marketdata.invalidations
     where consumer = 'rollups' and table_name = any ($1) order by id limit $2`,
    [sources, INVALIDATIONS_MAX],
  )
  return rows.map(({ id, symbol_id, lowest, greatest }) => {
    return { id, symbol_id: Number(symbol_id), from: lowest, to: greatest + 1 }
  })
}

/** Deletes the settled ones, and cuts the part before `end` from the others. */
async function settle(
  client: Client,
  settled: readonly Invalidation[],
  found: readonly Invalidation[],
  end: number,
): Promise<void> {
  const ids = settled.map(({ id }) => id)
  await client.query('delete from marketdata.invalidations where id = any ($1::bigint[])', [ids])
  if (settled.length === found.length) return
  await client.query(
    `update marketdata.invalidations set lowest = $2
     where id = any ($1::bigint[]) and lowest < $2`,
    [found.map(({ id }) => id), toIso(micros(end))],
  )
}

/** Uses its own transaction, and waits for writers that have seen the old thresholds. */
async function raiseThresholds(pool: Pool, { sources }: Rollup, target: Micros): Promise<void> {
  for (const table of sources) {
    const values = [table, toIso(target)]
    await withClient(pool, (client) =>
      client.query('select marketdata.raise_invalidation_threshold($1, $2)', values),
    )
  }
}

/** Computes the next slice above the watermark that has raw rows. */
async function advance(
  pool: Pool,
  rollup: Rollup,
  target: Micros,
): Promise<{ readonly row_count: number; readonly watermark: number }> {
  return inRefresh(pool, rollup, async (client, watermark) => {
    const hours = await wholeHours(client, rollup, watermark, target)
    const spans = await spansOfAll(client, watermark, target)
    const slice = cutSpans(spans, hours.slice(0, 1))[0]
    const row_count = slice === undefined ? 0 : await replaceSlice(client, rollup, slice)
    const raised = slice?.to ?? micros(Math.max(target, watermark))
    await client.query(
      `update marketdata.rollup_watermarks set watermark = $2, refreshed_at = now()
       where rollup = $1`,
      [rollup.name, toIso(raised)],
    )
    return { row_count, watermark: raised }
  })
}

async function spansOfAll(
  client: Client,
  from: number,
  to: number,
): Promise<readonly SymbolSpan[]> {
  const symbol_ids = await selectSymbolIds(client)
  return symbol_ids.map((symbol_id) => ({ symbol_id, from, to }))
}
