/** Trades of the API and of the live stream. */
import type { TradeRow } from '../../client/live.ts'
import { askAll } from './api.ts'
import { microsOf } from './candles.ts'
import { addressOf, type Instrument } from './instrument.ts'

export interface Trade {
  /** The exchange's time [us]. */
  readonly ts: number
  readonly id: number
  readonly price: number
  readonly qty: number
  /** The exchange's decimals. */
  readonly price_text: string
  readonly qty_text: string
  /** The taker sold. */
  readonly is_sell: boolean
}

const COLUMNS = 'ts_exchange,agg_trade_id,price,qty,is_buyer_maker'
type Row = Pick<TradeRow, 'ts_exchange' | 'agg_trade_id' | 'price' | 'qty' | 'is_buyer_maker'>

/** Trades in [from, to), in the order of their time and id. */
export async function askTrades(
  instrument: Instrument,
  from: number,
  to: number,
  signal: AbortSignal,
): Promise<readonly Trade[]> {
  const { path, query } = addressOf(instrument)
  const bounds = `from=${from}&to=${to}&limit=10000`
  const rows = await askAll<Row>(`/v1/trades/${path}?${query}&columns=${COLUMNS}&${bounds}`, signal)
  return rows.map(tradeOf)
}

export function tradeOf(row: Row): Trade {
  return {
    ts: microsOf(row.ts_exchange),
    id: row.agg_trade_id,
    price: Number(row.price),
    qty: Number(row.qty),
    price_text: row.price,
    qty_text: row.qty,
    is_sell: row.is_buyer_maker,
  }
}

/** The order of the table. */
export function compareTrades(a: Trade, b: Trade): number {
  return a.ts - b.ts || a.id - b.id
}
