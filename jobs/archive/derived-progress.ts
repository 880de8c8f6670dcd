/**
 * How far rollups and orderbook_topn have been computed. Their hours are archived only when no
 * source rows are left to process. Waiting avoids extra files but is not needed for correctness: an
 * hour that changes later gets a new version, as with late raw rows.
 */
import { type DerivedTable, isDerived } from '#core/archived-tables.ts'
import { selectHourSpans } from '#core/node/hour-spans.ts'
import type { Pool } from '#core/node/pool.ts'
import { HOUR_US, micros, toIso } from '#core/time.ts'
import type { TableHour } from './records.ts'

const SOURCES: Readonly<Record<Exclude<DerivedTable, 'orderbook_topn'>, readonly string[]>> = {
  bt_1s: ['book_ticker'],
  trade_1s: ['trades'],
  depth_1s: ['depth_events', 'orderbook_topn'],
}

/** Queries each table once. */
export function derivedProgress(pool: Pool): (table_hour: TableHour) => Promise<boolean> {
  const made_to = new Map<DerivedTable, Promise<number>>()
  return async ({ table_name, hour }) => {
    if (!isDerived(table_name)) return true
    const known = made_to.get(table_name) ?? selectMadeTo(pool, table_name)
    made_to.set(table_name, known)
    const end = micros(hour + HOUR_US)
    if ((await known) < end) return false
    if (table_name === 'orderbook_topn') return true
    const { rowCount } = await pool.query(
      `select from marketdata.invalidations
       where consumer = 'rollups' and table_name = any ($1) and lowest < $3 and greatest >= $2
       limit 1`,
      [SOURCES[table_name], toIso(hour), toIso(end)],
    )
    return rowCount === 0
  }
}

/** In microseconds; Infinity if every source row has been processed. */
async function selectMadeTo(pool: Pool, table_name: DerivedTable): Promise<number> {
  if (table_name === 'orderbook_topn') return selectBooksMadeTo(pool)
  const { rows } = await pool.query<{ watermark: number }>(
    `select (extract(epoch from watermark) * 1000000)::float8 as watermark
     from marketdata.rollup_watermarks where rollup = $1`,
    [table_name],
  )
  const { watermark } = rows[0]!
  const source = SOURCES[table_name][0]!
  for (const { from, to } of await selectHourSpans(pool, [source], watermark, Infinity)) {
    const { rowCount } = await pool.query(
      `select from marketdata.symbols s where exists (
         select from marketdata.${source}
         where symbol_id = s.id and ts_exchange >= $1 and ts_exchange < $2
       ) limit 1`,
      [toIso(from), toIso(to)],
    )
    if (rowCount === 1) return watermark
  }
  return Infinity
}

/** The oldest depth that has not been read yet. */
async function selectBooksMadeTo(pool: Pool): Promise<number> {
  for (const { from, to } of await selectHourSpans(pool, ['depth_events'], -Infinity, Infinity)) {
    const { rows } = await pool.query<{ made_to: number | null }>(OLDEST_UNREAD, [
      toIso(from),
      toIso(to),
    ])
    const made_to = rows[0]?.made_to ?? undefined
    if (made_to !== undefined) return made_to
  }
  return Infinity
}

const OLDEST_UNREAD = `
  select (extract(epoch from min(d.ts_exchange)) * 1000000)::float8 as made_to
  from marketdata.symbols s
  left join marketdata.orderbook_topn_watermarks w on w.symbol_id = s.id
  cross join lateral (
    select ts_exchange from marketdata.depth_events
    where symbol_id = s.id and ts_exchange >= $1 and ts_exchange < $2
      and ts_exchange >= coalesce(w.read_to, '-infinity')
    order by ts_exchange limit 1
  ) d`
