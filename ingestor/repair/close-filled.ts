/**
 * Closes holes of trades that turned out to be none: their ids came late, out of order or from a
 * second recording. Asks nobody; the repairer does this and more while an ingestor runs.
 */
import type { Pool } from '#core/node/pool.ts'
import { type Micros, toIso } from '#core/time.ts'
import { TIME_MARGIN_US } from './ledger.ts'

/** Returns how many were closed. */
export async function closeFilledHoles(pool: Pool, now: Micros): Promise<number> {
  const { rowCount } = await pool.query(
    `update marketdata.gaps g
      set repaired_at = $1, repaired_count = g.to_id - g.from_id - 1, repair_note = null
      where g.channel = 'trades' and g.repaired_at is null and g.to_id > g.from_id
        and g.to_id - g.from_id - 1 = (
          select count(distinct t.agg_trade_id) from marketdata.trades t
          where t.symbol_id = g.symbol_id
            and t.ts_exchange >= g.from_ts - $2 * interval '1 microsecond'
            and t.ts_exchange <= g.to_ts + $2 * interval '1 microsecond'
            and t.agg_trade_id > g.from_id and t.agg_trade_id < g.to_id
        )`,
    [toIso(now), TIME_MARGIN_US],
  )
  return rowCount ?? 0
}
