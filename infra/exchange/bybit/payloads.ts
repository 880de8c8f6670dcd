/** Bybit v5's frames for linear contracts, field for field as documented in 2026. Pure. */
import { createHash } from 'node:crypto'
import type { ForcedOrder } from '../sim/liquidations.ts'
import type { MarkPrice } from '../sim/mark-price.ts'
import type { Scribe } from '../sim/payloads.ts'

/** In ticks and steps; quantity 0: the level is removed. */
export type LevelList = readonly (readonly [price: number, qty: number])[]

export interface BookFrame {
  readonly topic: string
  readonly type: 'snapshot' | 'delta'
  readonly ts_ms: number
  readonly bids: LevelList
  readonly asks: LevelList
  readonly u: number
  readonly seq: number
}

export function bookFrame({ symbol, text }: Scribe, frame: BookFrame): string {
  const { topic, type, ts_ms, bids, asks, u, seq } = frame
  const levels = (side: LevelList): (readonly [string, string])[] =>
    side.map(([price, qty]) => [text.price(price), qty === 0 ? '0' : text.qty(qty)])
  const data = { s: symbol, b: levels(bids), a: levels(asks), u, seq }
  return JSON.stringify({ topic, type, ts: ts_ms, data, cts: ts_ms })
}

export interface TradeFact {
  readonly number: number
  readonly price: number
  readonly qty: number
  readonly is_buyer_maker: boolean
}

/** The trades of one action share its sequence number. */
export function tradesFrame(
  { symbol, text }: Scribe,
  topic: string,
  trades: readonly TradeFact[],
  ts_ms: number,
  seq: number,
): string {
  const data = trades.map((trade) => ({
    T: ts_ms,
    s: symbol,
    S: trade.is_buyer_maker ? 'Sell' : 'Buy',
    v: text.qty(trade.qty),
    p: text.price(trade.price),
    L: trade.is_buyer_maker ? 'ZeroMinusTick' : 'ZeroPlusTick',
    i: tradeUuid(symbol, trade.number),
    BT: false,
    RPI: trade.number % 50 === 0,
    seq,
  }))
  return JSON.stringify({ topic, type: 'snapshot', ts: ts_ms, data })
}

/** The fields of a ticker that the simulation provides. */
export type TickerFigures = Readonly<Record<string, string>>

export function figuresOf(mark: MarkPrice): TickerFigures {
  return {
    markPrice: mark.mark_price,
    indexPrice: mark.index_price,
    fundingRate: mark.funding_rate,
    nextFundingTime: String(mark.next_funding_ms),
  }
}

export function tickerFrame(
  symbol: string,
  topic: string,
  type: 'snapshot' | 'delta',
  figures: TickerFigures,
  ts_ms: number,
  cs: number,
): string {
  return JSON.stringify({ topic, type, data: { symbol, ...figures }, cs, ts: ts_ms })
}

export function liquidationFrame(
  { symbol, text }: Scribe,
  topic: string,
  { ts_ms, is_sell, qty, price }: ForcedOrder,
  sent_ms: number,
): string {
  // S is the side of the position: a forced sell closes a long position.
  const S = is_sell ? 'Buy' : 'Sell'
  const data = [{ T: ts_ms, s: symbol, S, v: text.qty(qty), p: text.price(price) }]
  return JSON.stringify({ topic, type: 'snapshot', ts: sent_ms, data })
}

/** A version 5 UUID, like the exchange's, derived from the trade's number. */
function tradeUuid(symbol: string, number: number): string {
  const hex = createHash('sha1').update(`${symbol} ${number}`).digest('hex')
  const version = `5${hex.slice(13, 16)}`
  const variant = `9${hex.slice(17, 20)}`
  return [hex.slice(0, 8), hex.slice(8, 12), version, variant, hex.slice(20, 32)].join('-')
}
