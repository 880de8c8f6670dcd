/** Reads the rows that signals are computed from. */
import type { Client } from '#core/node/pool.ts'
import type { BookSample } from '#core/signals/wall-signals.ts'
import { type Micros, micros, toIso } from '#core/time.ts'
import { TOP_LEVELS, VALUE_COLUMNS } from '../topn/row.ts'
import { sampleOf } from './samples.ts'

export interface ReadTrade {
  readonly ts: Micros
  readonly id: number
  readonly price: number
  readonly qty: number
  readonly is_buyer_maker: boolean
}

type TradeCells = readonly [number, number, number, number, boolean]

/** Trades of [from, to) by (ts, id). */
export async function readTrades(
  client: Client,
  symbol_id: number,
  from: Micros,
  to: Micros,
): Promise<readonly ReadTrade[]> {
  const { rows } = await client.query<TradeCells & unknown[]>({
    text: `select (extract(epoch from ts_exchange) * 1000000)::float8, agg_trade_id::float8, price,
        qty, is_buyer_maker
      from marketdata.trades
      where symbol_id = $1 and ts_exchange >= $2 and ts_exchange < $3
      order by symbol_id, ts_exchange, agg_trade_id`,
    values: [symbol_id, toIso(from), toIso(to)],
    rowMode: 'array',
  })
  return rows.map(([ts, id, price, qty, is_buyer_maker]) => {
    return { ts: micros(ts), id, price, qty, is_buyer_maker }
  })
}

export interface SampleRow {
  readonly sample: BookSample
  readonly final_update_id: number
}

const LEVEL_COLUMNS = VALUE_COLUMNS.slice(0, 4 * TOP_LEVELS).join(', ')

/** Rows of orderbook_topn at the whole seconds of [from, to). */
export async function readBooks(
  client: Client,
  symbol_id: number,
  from: Micros,
  to: Micros,
): Promise<readonly SampleRow[]> {
  const { rows } = await client.query<(number | null)[]>({
    text: `select (extract(epoch from ts_exchange) * 1000000)::float8, final_update_id::float8,
        ${LEVEL_COLUMNS}
      from marketdata.orderbook_topn
      where symbol_id = $1 and ts_exchange >= $2 and ts_exchange < $3
        and date_trunc('second', ts_exchange) = ts_exchange
      order by symbol_id, ts_exchange`,
    values: [symbol_id, toIso(from), toIso(to)],
    rowMode: 'array',
  })
  return rows.map(([ts, final_update_id, ...values]) => {
    return { sample: sampleOf(micros(ts!), values), final_update_id: final_update_id! }
  })
}

/** Time of the first diff after `after` that continues the book; undefined if none before `to`. */
export async function confirmedAt(
  client: Client,
  symbol_id: number,
  after: Micros,
  to: Micros,
  final_update_id: number,
): Promise<Micros | undefined> {
  const { rows } = await client.query<{ ts: number }>(
    `select (extract(epoch from ts_exchange) * 1000000)::float8 as ts
     from marketdata.depth_events
     where symbol_id = $1 and ts_exchange > $2 and ts_exchange < $3 and depth_kind = 'diff'
       and final_update_id > $4
     order by symbol_id, ts_exchange limit 1`,
    [symbol_id, toIso(after), toIso(to), final_update_id],
  )
  return rows[0] && micros(rows[0].ts)
}
