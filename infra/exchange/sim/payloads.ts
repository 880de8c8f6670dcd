/**
 * The interface of payload formats, and Binance USD-M's format since 2026, field for field.
 * Payloads are concatenated text, because JSON.stringify would be most of the simulator's work.
 */
import type { ForcedOrder } from './liquidations.ts'
import type { MarkPrice } from './mark-price.ts'

export interface NumberText {
  /** A price in ticks as the exchange's decimal text. */
  price(ticks: number): string
  qty(steps: number): string
}

/** The symbol of a payload, and the text form of its numbers. */
export interface Scribe {
  readonly symbol: string
  readonly text: NumberText
}

/** Best bid and ask, in ticks and steps. */
export interface Quote {
  readonly u: number
  readonly bid: number
  readonly bid_qty: number
  readonly ask: number
  readonly ask_qty: number
}

export interface SingleTrade {
  readonly id: number
  readonly price: number
  readonly qty: number
  readonly is_buyer_maker: boolean
}

/** An exchange's streams of a symbol, and their payloads. Times are whole ms. */
export interface PayloadStyle {
  /** Speeds of each class of streams [ms]; undefined: the name without a speed. */
  readonly intervals_ms: Readonly<Record<string, readonly (number | undefined)[]>>
  /** Speed of a depth stream whose name contains none [ms]. */
  readonly depth_interval_ms: number
  /** Aggregated trades are sent at the end of their 100 ms window. */
  readonly has_trade_windows: boolean
  /** Decimal places; undefined if each symbol has its own. */
  readonly decimals: number | undefined
  bookTicker(scribe: Scribe, quote: Quote, ts_ms: number): string
  aggTrade(scribe: Scribe, trade: AggTrade, sent_ms: number): string
  trade(scribe: Scribe, trade: SingleTrade, ts_ms: number): string
  depth(scribe: Scribe, update: DepthUpdate): string
  partialDepth(scribe: Scribe, update: DepthUpdate): string
}

export const FUTURES_STYLE: PayloadStyle = {
  intervals_ms: {
    bookTicker: [undefined],
    aggTrade: [undefined],
    trade: [undefined],
    forceOrder: [undefined],
    depth: [undefined, 100, 500],
    markPrice: [undefined, 1_000],
  },
  depth_interval_ms: 250,
  has_trade_windows: true,
  decimals: undefined,
  bookTicker: ({ symbol, text }, { u, bid, bid_qty, ask, ask_qty }, ts_ms) =>
    bookTickerPayload(symbol, text, u, bid, bid_qty, ask, ask_qty, ts_ms),
  aggTrade: ({ symbol, text }, trade, sent_ms) => aggTradePayload(symbol, text, trade, sent_ms),
  trade: ({ symbol, text }, { id, price, qty, is_buyer_maker }, ts_ms) =>
    tradePayload(symbol, text, id, price, qty, is_buyer_maker, ts_ms),
  depth: depthPayload,
  partialDepth: depthPayload,
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

function tradePayload(
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
  /** Levels in the order of the payload. */
  readonly bids: readonly (readonly [price: number, qty: number])[]
  readonly asks: readonly (readonly [price: number, qty: number])[]
}

/** `[["61800.20","0.014"],...]` */
export function levelsText(text: NumberText, side: DepthUpdate['bids']): string {
  return `[${side.map(([price, qty]) => `["${text.price(price)}","${text.qty(qty)}"]`).join(',')}]`
}

function depthPayload({ symbol, text }: Scribe, update: DepthUpdate): string {
  const { sent_ms, ts_ms, first_u, last_u, previous_u, bids, asks } = update
  return `{"e":"depthUpdate","E":${sent_ms},"T":${ts_ms},"s":"${symbol}","ps":"${symbol}","U":${first_u},"u":${last_u},"pu":${previous_u},"b":${levelsText(text, bids)},"a":${levelsText(text, asks)},"st":1}`
}

export function markPricePayload(symbol: string, mark: MarkPrice): string {
  return `{"e":"markPriceUpdate","E":${mark.ts_ms},"s":"${symbol}","p":"${mark.mark_price}","ap":"${mark.mark_average}","P":"${mark.settle_price}","i":"${mark.index_price}","r":"${mark.funding_rate}","T":${mark.next_funding_ms},"st":1}`
}

export function forceOrderPayload(
  symbol: string,
  text: NumberText,
  order: ForcedOrder,
  sent_ms: number,
): string {
  const { ts_ms, is_sell, qty, last_qty } = order
  const price = text.price(order.price)
  const average = text.price(order.average_price)
  return `{"e":"forceOrder","E":${sent_ms},"o":{"s":"${symbol}","S":"${is_sell ? 'SELL' : 'BUY'}","o":"LIMIT","f":"IOC","q":"${text.qty(qty)}","p":"${price}","ap":"${average}","X":"FILLED","l":"${text.qty(last_qty)}","z":"${text.qty(qty)}","T":${ts_ms},"ps":"${symbol}","st":1}}`
}

export function contractInfoPayload(symbol: string, status: string, sent_ms: number): string {
  return `{"e":"contractInfo","E":${sent_ms},"s":"${symbol}","ps":"${symbol}","ct":"PERPETUAL","dt":4133404800000,"ot":1569398400000,"cs":"${status}","bks":[],"st":1}`
}
