/**
 * Who keeps the rollups: our own refresh, or Timescale's continuous aggregates. Probed: the
 * extension alone says nothing, since managed servers ship its Apache edition, which has none.
 */
import type { Pool } from '#core/node/pool.ts'

export type Engine =
  | { readonly kind: 'plain'; readonly reason: string }
  | { readonly kind: 'continuous_aggregates' }

const SOURCES = ['book_ticker', 'trades', 'depth_events', 'orderbook_topn']

export async function findEngine(pool: Pool): Promise<Engine> {
  const { rows } = await pool.query<{ license: string | null; has_catalog: boolean }>(
    `select current_setting('timescaledb.license', true) as license,
       to_regclass('timescaledb_information.hypertables') is not null as has_catalog`,
  )
  const { license, has_catalog } = rows[0]!
  if (license === null || license === '' || !has_catalog) {
    return { kind: 'plain', reason: 'Timescale is not there' }
  }
  if (license !== 'timescale') {
    return { kind: 'plain', reason: `Timescale's license is ${license}, without continuous aggregates` }
  }
  const hypertables = await pool.query<{ name: string }>(
    `select hypertable_name as name from timescaledb_information.hypertables
     where hypertable_schema = 'marketdata' and hypertable_name = any ($1)`,
    [SOURCES],
  )
  const found = new Set(hypertables.rows.map((row) => row.name))
  const missing = SOURCES.filter((name) => !found.has(name))
  return missing.length === 0
    ? { kind: 'continuous_aggregates' }
    : { kind: 'plain', reason: `no hypertables: ${missing.join(', ')}` }
}
