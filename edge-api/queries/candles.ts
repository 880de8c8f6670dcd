/**
 * Candles of one instrument out of trade_1s: whole seconds up to its watermark, the newest ones
 * from the trades themselves. Only candles with a trade have a row. range/fold-seconds.ts makes the
 * same of seconds of the archive: what changes here changes there.
 */
import { toIso, type Micros } from '#core/time.ts'
import type { Database } from '../database.ts'
import type { Row } from '../range/table.ts'

export interface CandlesArgs {
  readonly symbol_id: number
  readonly interval_us: number
  /** Both on the grid of the interval. */
  readonly from: Micros
  readonly to: Micros
  readonly limit: number
}

const COLUMNS =
  'bucket, open, high, low, close, volume, notional, trade_count, buy_volume, sell_volume'

const SQL = `
with seconds as (
  select ${COLUMNS}
  from marketdata.trade_1s
  where symbol_id = $1 and bucket >= $2::timestamptz and bucket < $3::timestamptz
    and bucket < (select watermark from marketdata.rollup_watermarks where rollup = 'trade_1s')
  union all
  select ${COLUMNS}
  from marketdata.trade_1s_tail($1)
  where bucket >= $2::timestamptz and bucket < $3::timestamptz
)
select date_bin(make_interval(secs => $4::double precision), bucket, timestamptz 'epoch') as ts,
  (array_agg(open order by bucket))[1] as open,
  max(high) as high,
  min(low) as low,
  (array_agg(close order by bucket desc))[1] as close,
  sum(volume::text::numeric)::double precision as volume,
  sum(notional::text::numeric)::double precision as notional,
  sum(trade_count)::bigint as trade_count,
  sum(buy_volume::text::numeric)::double precision as buy_volume,
  sum(sell_volume::text::numeric)::double precision as sell_volume,
  -- With enough digits for the nearest double: docs/decisions/0014.
  ((sum(notional::text::numeric) + 0e-120::numeric)
    / nullif(sum(volume::text::numeric), 0))::double precision as vwap
from seconds
group by 1
order by 1
limit $5`

export function selectCandles(db: Database, args: CandlesArgs): Promise<readonly Row[]> {
  const { symbol_id, interval_us, from, to, limit } = args
  return db.query(SQL, [symbol_id, toIso(from), toIso(to), interval_us / 1_000_000, limit])
}
