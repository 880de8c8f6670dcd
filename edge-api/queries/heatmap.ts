/** The last row of orderbook_topn in each interval of a range. */
import { micros, SECOND_US, toIso, type Micros } from '#core/time.ts'
import type { Row } from '../tables/table.ts'
import type { Database } from './database.ts'

export interface LastRowsArgs {
  readonly symbol_id: number
  /** Columns of orderbook_topn besides ts_exchange. */
  readonly columns: readonly string[]
  /** `from` and `to` are multiples of the interval. */
  readonly from: Micros
  readonly to: Micros
  readonly interval_us: number
}

/** Intervals of one statement, so that it is short and locks few partitions. */
const INTERVALS_AT_ONCE = 600

/** In order; an interval without a row is left out. */
export async function selectLastRows(db: Database, args: LastRowsArgs): Promise<readonly Row[]> {
  const { symbol_id, columns, from, to, interval_us } = args
  // The bounds on the partition key let Postgres leave out the other partitions.
  const sql = `
select t.*
from generate_series($2::timestamptz, $3::timestamptz - $4 * interval '1 second',
  $4 * interval '1 second') as b (ts)
cross join lateral (
  select ts_exchange, ${columns.join(', ')}
  from marketdata.orderbook_topn
  where symbol_id = $1 and ts_exchange >= $2::timestamptz and ts_exchange < $3::timestamptz
    and ts_exchange >= b.ts and ts_exchange < b.ts + $4 * interval '1 second'
  order by ts_exchange desc limit 1
) t
order by t.ts_exchange`
  const rows: Row[] = []
  for (let at: number = from; at < to; at += INTERVALS_AT_ONCE * interval_us) {
    const end = micros(Math.min(to, at + INTERVALS_AT_ONCE * interval_us))
    const values = [symbol_id, toIso(micros(at)), toIso(end), interval_us / SECOND_US]
    rows.push(...(await db.query<Row>(sql, values)))
  }
  return rows
}
