/**
 * Payloads as Binance USD-M has written them since 2026, field for field. Put together from text:
 * JSON.stringify would be most of the simulator's work.
 */
import type { MarkPrice } from './mark-price.ts'

export interface NumberText {
  /** A price in ticks as the exchange's decimal text. */
  price(ticks: number): string
  qty(steps: number): string
}

/** Times are whole milliseconds. */
export function bookTickerPayload(
  symbol: string,
  text: NumberText,
  u: number,
  bid: number,
  bid_qty: number,
  ask: number,
  ask_qty: number,
  ts_ms: number,
): string {
  return `{"e":"bookTicker","u":${u},"s":"${symbol}","ps":"${symbol}","b":"${text.price(bid)}","B":"${text.qty(bid_qty)}","a":"${text.price(ask)}","A":"${text.qty(ask_qty)}","T":${ts_ms},"E":${ts_ms},"st":1}`
}

export interface AggTrade {
  readonly id: number
  readonly ts_ms: number
  readonly price: number
  readonly qty: number
  readonly non_rpi_qty: number
  readonly first_id: number
  readonly last_id: number
  readonly is_buyer_maker: boolean
}

export function aggTradePayload(
  symbol: string,
  text: NumberText,
  trade: AggTrade,
  sent_ms: number,
): string {
  const { id, ts_ms, price, qty, non_rpi_qty, first_id, last_id, is_buyer_maker } = trade
  return `{"e":"aggTrade","E":${sent_ms},"a":${id},"s":"${symbol}","p":"${text.price(price)}","q":"${text.qty(qty)}","nq":"${text.qty(non_rpi_qty)}","f":${first_id},"l":${last_id},"T":${ts_ms},"m":${is_buyer_maker},"st":1}`
}

export function tradePayload(
  symbol: string,
  text: NumberText,
  id: number,
  price: number,
  qty: number,
  is_buyer_maker: boolean,
  ts_ms: number,
): string {
  return `{"e":"trade","E":${ts_ms},"T":${ts_ms},"s":"${symbol}","t":${id},"p":"${text.price(price)}","q":"${text.qty(qty)}","X":"MARKET","m":${is_buyer_maker}}`
}

export interface DepthUpdate {
  readonly sent_ms: number
  readonly ts_ms: number
  readonly first_u: number
  readonly last_u: number
  readonly previous_u: number
  /** Levels in the order in which they are written. */
  readonly bids: readonly (readonly [price: number, qty: number])[]
  readonly asks: readonly (readonly [price: number, qty: number])[]
}

export function depthPayload(symbol: string, text: NumberText, update: DepthUpdate): string {
  const levels = (side: DepthUpdate['bids']): string =>
    side.map(([price, qty]) => `["${text.price(price)}","${text.qty(qty)}"]`).join(',')
  const { sent_ms, ts_ms, first_u, last_u, previous_u, bids, asks } = update
  return `{"e":"depthUpdate","E":${sent_ms},"T":${ts_ms},"s":"${symbol}","ps":"${symbol}","U":${first_u},"u":${last_u},"pu":${previous_u},"b":[${levels(bids)}],"a":[${levels(asks)}],"st":1}`
}

export function markPricePayload(symbol: string, mark: MarkPrice): string {
  return `{"e":"markPriceUpdate","E":${mark.ts_ms},"s":"${symbol}","p":"${mark.mark_price}","ap":"${mark.mark_average}","P":"${mark.settle_price}","i":"${mark.index_price}","r":"${mark.funding_rate}","T":${mark.next_funding_ms},"st":1}`
}
