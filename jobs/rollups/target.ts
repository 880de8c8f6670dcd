/** How far a rollup can be computed: up to the last second whose rows should all be stored. */
import { selectHourSpans } from '#core/node/hour-spans.ts'
import type { Client } from '#core/node/pool.ts'
import { type Micros, SECOND_US, toIso, micros } from '#core/time.ts'
import type { Rollup, SourceTable } from './rollup.ts'
import { floorSecond } from './slices.ts'

/** Rows are written within a fraction of a second after their event. Later rows count as late. */
const LAG_US = 10 * SECOND_US
/**
 * orderbook_topn is half a minute behind the depth. Depth older than this does not wait for it:
 * rows of orderbook_topn that come later are logged as late rows.
 */
const BOOKS_WAIT_US = 300 * SECOND_US

/** Undefined if there is no row at or after the watermark, or if no second is over yet. */
export async function refreshTarget(
  client: Client,
  { sources }: Rollup,
  watermark: number,
  now: Micros,
): Promise<Micros | undefined> {
  const newest = await selectNewest(client, sources[0], watermark)
  if (newest === undefined) return undefined
  const books = sources.includes('orderbook_topn') ? await selectBooksCovered(client) : undefined
  const target = targetOf(newest, now, books)
  return target > watermark ? target : undefined
}

/** `books_covered_to`: how far orderbook_topn has been written; undefined: irrelevant. */
export function targetOf(
  newest: Micros,
  now: Micros,
  books_covered_to: Micros | undefined,
): Micros {
  const over = Math.min(floorSecond(now - LAG_US), floorSecond(newest) + SECOND_US)
  if (books_covered_to === undefined) return micros(over)
  const books = Math.max(floorSecond(books_covered_to), floorSecond(now - BOOKS_WAIT_US))
  return micros(Math.min(over, books))
}

async function selectNewest(
  client: Client,
  table: SourceTable,
  watermark: number,
): Promise<Micros | undefined> {
  const spans = await selectHourSpans(client, [table], watermark, Infinity)
  for (const { from, to } of spans.toReversed()) {
    const { rows } = await client.query<{ newest: number | null }>(
      `select (extract(epoch from max(n.ts_exchange)) * 1000000)::float8 as newest
       from marketdata.symbols s
       cross join lateral (
         select ts_exchange from marketdata.${table}
         where symbol_id = s.id and ts_exchange >= $1 and ts_exchange < $2
         order by ts_exchange desc limit 1
       ) n`,
      [toIso(from), toIso(to)],
    )
    const newest = rows[0]?.newest ?? undefined
    if (newest !== undefined) return micros(newest)
  }
  return undefined
}

/** Progress of the most advanced symbol. Rows of the others are logged as late when they come. */
async function selectBooksCovered(client: Client): Promise<Micros | undefined> {
  const { rows } = await client.query<{ covered_to: number | null }>(
    `select (extract(epoch from max(covered_to)) * 1000000)::float8 as covered_to
     from marketdata.orderbook_topn_watermarks`,
  )
  const covered_to = rows[0]?.covered_to ?? undefined
  return covered_to === undefined ? undefined : micros(covered_to)
}
