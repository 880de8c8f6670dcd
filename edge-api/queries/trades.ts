/** Trades of one instrument in [from, to), in the order of their identity. */
import type { Micros } from '#core/time.ts'
import type { Database } from '../database.ts'
import { rangeParameters, type RangeArgs } from './quotes.ts'

export interface TradeRow {
  readonly ts_exchange: Micros
  readonly ts_ingest: Micros
  readonly agg_trade_id: number
  readonly price: number
  readonly qty: number
  readonly non_rpi_qty: number | null
  readonly first_trade_id: number | null
  readonly last_trade_id: number | null
  readonly is_buyer_maker: boolean
}

const SQL = `
select ts_exchange, ts_ingest, agg_trade_id, price, qty, non_rpi_qty, first_trade_id,
  last_trade_id, is_buyer_maker
from marketdata.trades
where symbol_id = $1 and ts_exchange >= $2::timestamptz and ts_exchange < $3::timestamptz
  and ($4::timestamptz is null or (ts_exchange, agg_trade_id) > ($4::timestamptz, $5::bigint))
order by ts_exchange, agg_trade_id
limit $6::int`

export function selectTrades(db: Database, args: RangeArgs): Promise<readonly TradeRow[]> {
  return db.query(SQL, rangeParameters(args))
}
