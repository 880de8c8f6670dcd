/**
 * Says that minutes are over as soon as they are. The rollups do so once in ROLLUPS_EVERY_S; bars
 * that somebody watches are final sooner. Only once a minute: it waits for the writers' commits.
 */
import { MINUTE_US } from '#core/clusters/intervals.ts'
import type { Pool } from '#core/node/pool.ts'
import { type Micros, micros, SECOND_US, toIso } from '#core/time.ts'

/** That of the rollups: rows that come later count as late. */
const LAG_US = 10 * SECOND_US

/** From then on, trades of whole minutes up to `now` less the lag count as late. */
export async function closeMinutes(pool: Pool, now: Micros): Promise<void> {
  const end = micros(Math.floor((now - LAG_US) / MINUTE_US) * MINUTE_US)
  const { rows } = await pool.query<{ is_over: boolean }>(IS_OVER, [toIso(end)])
  if (rows[0]?.is_over !== true) return
  await pool.query("select marketdata.raise_invalidation_threshold('trades', $1)", [toIso(end)])
}

/**
 * The rollups have begun, and later trades are stored: while the recorder is down, its minutes are
 * not over. An index probe per symbol.
 */
const IS_OVER = `
select threshold > '-infinity' and threshold < $1 and exists (
    select from marketdata.symbols s where exists (
      select from marketdata.trades where symbol_id = s.id and ts_exchange >= $1
    )
  ) as is_over
from marketdata.invalidation_thresholds where table_name = 'trades'`
