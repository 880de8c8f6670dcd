/**
 * Binance USD-M payloads with the exchange's own letters. Letters stop here: parse.ts and rest.ts
 * turn them into names. Unlisted fields are allowed, they come and go.
 *
 * Source: developers.binance.com/docs/derivatives/usds-margined-futures (websocket-market-streams
 * and market-data/rest-api, pages of 2026-09-15) and the official connector's types of 2026-07-24;
 * checked against frames received in 2021, 2024 and 2026. The raw `trade` stream is not in the
 * documents: its letters are from received frames.
 */

/** A combined frame: the stream's name, lower case, around the payload. */
export interface WireCombined {
  readonly stream: string
  readonly data: unknown
}

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

/** One element of GET /fapi/v1/aggTrades; letters as in the stream. */
export type WireRestAggTrade = Pick<WireAggTrade, 'a' | 'p' | 'q' | 'nq' | 'f' | 'l' | 'T' | 'm'>

/** One element of GET /fapi/v1/trades and /fapi/v1/historicalTrades: market trades only. */
export interface WireRestTrade {
  readonly id: number // trade id
  readonly price: string
  readonly qty: string
  readonly time: number // ms
  readonly isBuyerMaker: boolean
}

/** One element of `symbols` in GET /fapi/v1/exchangeInfo. */
export interface WireSymbol {
  readonly symbol: string
  readonly contractType: string // PERPETUAL, TRADIFI_PERPETUAL, CURRENT_QUARTER, NEXT_QUARTER
  readonly status: string // TRADING, PENDING_TRADING, SETTLING, CLOSE, ...
  readonly baseAsset: string
  readonly quoteAsset: string
  readonly filters: readonly {
    readonly filterType: string
    readonly tickSize?: string // of PRICE_FILTER
    readonly stepSize?: string // of LOT_SIZE
  }[]
}
