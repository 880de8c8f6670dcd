/**
 * Binance USD-M payloads with the exchange's letters. Letters stop here: parse.ts and rest.ts turn
 * them into names. Unlisted fields are allowed, because the exchange adds and removes some.
 *
 * Source: developers.binance.com/docs/derivatives/usds-margined-futures (websocket-market-streams
 * and market-data/rest-api, pages of 2026-09-15) and the official connector's types of 2026-07-24;
 * checked against frames received in 2021, 2024 and 2026. The raw `trade` stream is not documented:
 * its letters are from received frames.
 */
import type { WireSymbol as CommonSymbol } from '../binance-rest.ts'

/** `<symbol>@bookTicker`, every change of the best bid or offer, without RPI orders. */
export interface WireBookTicker {
  readonly e: 'bookTicker'
  readonly u: number // order book update id
  readonly s: string // symbol
  readonly ps?: string // pair (since 2026-06)
  readonly b: string // best bid price
  readonly B: string // best bid quantity
  readonly a: string // best ask price
  readonly A: string // best ask quantity
  readonly T: number // transaction time, ms
  readonly E: number // event time, ms
  readonly st?: 1 | 2 // universe: 1 USD-M, 2 COIN-M (since 2026-06)
}

/** `<symbol>@aggTrade`: fills of one taker order at one price within 100 ms. */
export interface WireAggTrade {
  readonly e: 'aggTrade'
  readonly E: number // event time, ms
  readonly a: number // aggregate trade id
  readonly s: string // symbol
  readonly p: string // price
  readonly q: string // quantity, RPI fills included
  readonly nq?: string // quantity without RPI fills (since 2026-01)
  readonly f: number // first trade id
  readonly l: number // last trade id
  readonly T: number // trade time, ms
  readonly m: boolean // buyer is the maker: the taker sold
  readonly st?: 1 | 2 // universe: 1 USD-M, 2 COIN-M
}

/** `<symbol>@trade`: one fill. */
export interface WireTrade {
  readonly e: 'trade'
  readonly E: number // event time, ms
  readonly T: number // trade time, ms
  readonly s: string // symbol
  readonly t: number // trade id
  readonly p: string // price
  readonly q: string // quantity
  readonly X?: string // MARKET; INSURANCE_FUND, ADL, NA are not market trades
  readonly m: boolean // buyer is the maker: the taker sold
}

/**
 * `<symbol>@depth` (diffs) and `<symbol>@depth5|10|20` (the best levels), without RPI orders. The
 * payload is the same; only the stream's name distinguishes them.
 */
export interface WireDepthUpdate {
  readonly e: 'depthUpdate'
  readonly E: number // event time, ms
  readonly T: number // transaction time, ms
  readonly s: string // symbol
  readonly ps?: string // pair (since 2026-06)
  readonly U: number // first update id of the event
  readonly u: number // last update id of the event
  readonly pu: number // last update id of the previous event on this stream
  readonly b: readonly (readonly [price: string, qty: string])[] // bids; quantity 0: level is gone
  readonly a: readonly (readonly [price: string, qty: string])[] // asks
  readonly st?: 1 | 2 // universe: 1 USD-M, 2 COIN-M
}

/** `<symbol>@markPrice@1s`, and element of `!markPrice@arr`. `T` is not the event's time. */
export interface WireMarkPrice {
  readonly e: 'markPriceUpdate'
  readonly E: number // event time, ms
  readonly s: string // symbol
  readonly p: string // mark price
  readonly ap?: string // moving average of the mark price (since 2026-03)
  readonly P: string // estimated settle price
  readonly i: string // index price
  readonly r: string // funding rate; empty for contracts without funding
  readonly T: number // next funding time, ms; 0 for contracts without funding
  readonly st?: 1 | 2 // universe: 1 USD-M, 2 COIN-M
}

/** `<symbol>@forceOrder` and `!forceOrder@arr`: the latest liquidation of a symbol and second. */
export interface WireForceOrder {
  readonly e: 'forceOrder'
  readonly E: number // event time, ms
  readonly o: {
    readonly s: string // symbol
    readonly S: 'BUY' | 'SELL' // side
    readonly q: string // original quantity
    readonly p: string // price
    readonly ap: string // average price
    readonly z: string // accumulated filled quantity
    readonly T: number // trade time, ms
    readonly st?: 1 | 2 // universe: 1 USD-M, 2 COIN-M
  }
}

/** GET /fapi/v1/depth. */
export interface WireDepthSnapshot {
  readonly lastUpdateId: number
  readonly E: number // message output time, ms
  readonly T: number // transaction time, ms
  readonly bids: readonly (readonly [price: string, qty: string])[]
  readonly asks: readonly (readonly [price: string, qty: string])[]
}

/** One element of `symbols` in GET /fapi/v1/exchangeInfo. */
export interface WireSymbol extends CommonSymbol {
  readonly contractType: string // PERPETUAL, TRADIFI_PERPETUAL (stocks, commodities), CURRENT_QUARTER, NEXT_QUARTER
}
