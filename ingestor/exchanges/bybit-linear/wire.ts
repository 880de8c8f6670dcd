/**
 * Bybit v5 payloads of linear contracts with the exchange's letters. Letters stop here: parse.ts,
 * ticker.ts and rest.ts turn them into names. Unlisted fields are allowed, because the exchange
 * adds and removes some.
 *
 * Source: bybit-exchange.github.io/docs/v5 (websocket/public/orderbook, trade, ticker and
 * all-liquidation, ws/connect, market/instrument, market/tickers), pages of 2026. No recording was
 * available.
 */

/** Every frame of a topic. Its fields have no fixed order. */
export interface WireFrame {
  readonly topic: string // publicTrade.BTCUSDT
  readonly type: 'snapshot' | 'delta'
  readonly ts: number // when the frame was made, ms; the documentation shows it as text too
  readonly cts?: number // of books: when the matching engine made it, ms
  readonly data: unknown
}

/**
 * Data of `orderbook.<levels>.<symbol>`, without RPI orders. One level: always complete, every 10
 * ms if it changed, and repeated after 3 s without a change. Fifty levels: a snapshot first, then
 * diffs every 20 ms.
 */
export interface WireBook {
  readonly s: string // symbol
  readonly b: readonly (readonly [price: string, qty: string])[] // bids; quantity 0: level is gone
  readonly a: readonly (readonly [price: string, qty: string])[] // asks
  readonly u: number // update id, grows by one; 1: the service was restarted and counts from scratch
  readonly seq: number // cross sequence
}

/** Element of the data of `publicTrade.<symbol>`: up to 1,024, ordered by time. */
export interface WireTrade {
  readonly T: number // time of the match, ms
  readonly s: string // symbol
  readonly S: 'Buy' | 'Sell' // side of the taker
  readonly v: string // quantity
  readonly p: string // price
  readonly i: string // trade id, a UUID
  readonly BT: boolean // block trade: agreed off the book
  readonly RPI?: boolean // against a retail price improvement order (since 2025)
  readonly seq?: number // cross sequence (since 2025); several trades may share one
}

/**
 * Data of `tickers.<symbol>`, every 100 ms: a snapshot first, then changes. Contracts without
 * funding have empty texts.
 */
export interface WireTicker {
  readonly symbol: string
  readonly markPrice?: string
  readonly indexPrice?: string
  readonly predictedDeliveryPrice?: string // of contracts that are delivered
  readonly fundingRate?: string
  readonly nextFundingTime?: string // ms
}

/** Element of the data of `allLiquidation.<symbol>`: all liquidations of 500 ms. */
export interface WireLiquidation {
  readonly T: number // ms
  readonly s: string // symbol
  readonly S: 'Buy' | 'Sell' // side of the position; Buy: a long position was closed by a sale
  readonly v: string // executed quantity
  readonly p: string // bankruptcy price
}

/** The answer to subscribe, unsubscribe and ping. */
export interface WireAnswer {
  readonly success: boolean
  readonly ret_msg: string // pong; or what is wrong
  readonly req_id?: string // as we sent it
  readonly op: 'subscribe' | 'unsubscribe' | 'ping'
}

/** Every REST answer; errors too have HTTP status 200. */
export interface WireRest {
  readonly retCode: number // 0: fine
  readonly retMsg: string
  readonly result: unknown
}

/** Result of GET /v5/market/instruments-info. */
export interface WireInstruments {
  readonly list: readonly WireInstrument[]
  readonly nextPageCursor: string // empty on the last page
}

export interface WireInstrument {
  readonly symbol: string
  readonly contractType: string // LinearPerpetual, LinearFutures
  readonly status: string // PreLaunch, Trading, Delivering, Closed
  readonly symbolType?: string // innovation, stock, commodity, forex ...; empty for most
  readonly baseCoin: string
  readonly quoteCoin: string
  readonly priceFilter: { readonly tickSize: string }
  readonly lotSizeFilter: { readonly qtyStep: string }
}

/** Element of `result.list` in GET /v5/market/tickers. */
export interface WireTicker24h {
  readonly symbol: string
  readonly turnover24h: string // in quote asset
}
