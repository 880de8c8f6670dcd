/**
 * Binance spot payloads with the exchange's letters. Letters stop here: parse.ts and rest.ts turn
 * them into names. Unlisted fields are allowed, because the exchange adds and removes some. Times
 * are milliseconds, or microseconds on sockets that request them (timeUnit=MICROSECOND).
 *
 * Source: developers.binance.com/docs/binance-spot-api-docs (web-socket-streams and rest-api, as of
 * 2026-11); checked against frames received in 2021.
 */

/** `<symbol>@bookTicker`: every change of the best bid or offer. It has no time and no type. */
export interface WireBookTicker {
  readonly u: number // order book update id
  readonly s: string // symbol
  readonly b: string // best bid price
  readonly B: string // best bid quantity
  readonly a: string // best ask price
  readonly A: string // best ask quantity
}

/** `<symbol>@aggTrade`, and element of GET /api/v3/aggTrades (without e, E and s). */
export interface WireAggTrade {
  readonly e: 'aggTrade'
  readonly E: number // event time
  readonly s: string // symbol
  readonly a: number // aggregate trade id
  readonly p: string // price
  readonly q: string // quantity
  readonly f: number // first trade id; -1 in old entries without a trade
  readonly l: number // last trade id
  readonly T: number // trade time
  readonly m: boolean // buyer is the maker: the taker sold
  readonly M: boolean // to be ignored
}

/** `<symbol>@trade`: one fill. */
export interface WireTrade {
  readonly e: 'trade'
  readonly E: number // event time
  readonly s: string // symbol
  readonly t: number // trade id
  readonly p: string // price
  readonly q: string // quantity
  readonly T: number // trade time
  readonly m: boolean // buyer is the maker: the taker sold
  readonly M: boolean // to be ignored
}

type Levels = readonly (readonly [price: string, qty: string])[]

/** `<symbol>@depth`: diffs. The id of the previous event is not sent: U is its u plus one. */
export interface WireDepthUpdate {
  readonly e: 'depthUpdate'
  readonly E: number // event time
  readonly s: string // symbol
  readonly U: number // first update id of the event
  readonly u: number // last update id of the event
  readonly b: Levels // bids; quantity 0: level is gone
  readonly a: Levels // asks
}

/** `<symbol>@depth5|10|20`, and GET /api/v3/depth: neither symbol nor time. */
export interface WireBook {
  readonly lastUpdateId: number
  readonly bids: Levels
  readonly asks: Levels
}
