/**
 * Check `clock`: trades arrive after they happened, and soon. The matching engine's time of a trade
 * against ours at its arrival shows a clock that is wrong, without asking anybody.
 */
import { givingLocksBack } from '#core/node/hour-spans.ts'
import type { Client } from '#core/node/pool.ts'
import type { Finding } from '#core/validation.ts'
import { before, type Checked } from './checked.ts'

const SPAN_S = 60
/** The exchange's clock has an error too. */
const BEHIND_MS_MAX = 20
const AHEAD_MS_MAX = 2_000
/** Of fewer trades a median says little. */
const TRADES_MIN = 10

interface Delay {
  readonly exchange: string
  readonly trade_count: number
  readonly median_ms: number
}

/**
 * Symbol by symbol along the primary key. Refilled trades are late by their nature, and too few to
 * move a median.
 */
const DELAYS = `
select s.exchange, count(*)::int as trade_count,
  percentile_disc(0.5) within group (
    order by extract(epoch from t.ts_ingest - t.ts_exchange) * 1000
  )::float8 as median_ms
from marketdata.symbols s
cross join lateral (
  select ts_ingest, ts_exchange from marketdata.trades
  where symbol_id = s.id and ts_exchange >= $2 and ts_exchange < $1 offset 0
) t
group by s.exchange order by s.exchange`

export async function checkClock(client: Client, now: string): Promise<Checked> {
  const { rows } = await givingLocksBack(client, () =>
    client.query<Delay>(DELAYS, [now, before(now, SPAN_S)]),
  )
  const judged = rows.filter(({ trade_count }) => trade_count >= TRADES_MIN)
  const trade_count = judged.reduce((sum, delay) => sum + delay.trade_count, 0)
  return {
    looked_at: `${trade_count} trades`,
    row_count: trade_count,
    findings: judged.flatMap(judge),
  }
}

function judge({ exchange, median_ms }: Delay): readonly Finding[] {
  const about = { check: 'clock', table_name: 'trades', symbols: [] } as const
  const ms = Math.round(Math.abs(median_ms))
  if (median_ms < -BEHIND_MS_MAX) {
    const sentence = `${exchange} trades arrive ${ms} ms before they happen: the ingestor's clock is behind.`
    return [{ ...about, code: 'clock_behind', sentence }]
  }
  if (median_ms > AHEAD_MS_MAX) {
    const sentence = `${exchange} trades arrive ${ms} ms after they happened, expected at most ${AHEAD_MS_MAX} ms: the ingestor's clock is ahead, or the exchange is late.`
    return [{ ...about, code: 'trades_late', sentence }]
  }
  return []
}
