/**
 * Deribit payloads: JSON-RPC 2.0 over the socket, and the same envelope over REST. Unlisted fields
 * are allowed, because the exchange adds and removes some.
 *
 * Source: docs.deribit.com, pages of 2026-11: JSON-RPC overview, Error codes, public/subscribe,
 * public/set_heartbeat, public/get_index_price, public/get_index_price_names and the channel
 * deribit_price_index.{index_name}. No recording of that channel was available.
 */

export interface WireSubscription {
  readonly channel: string // deribit_price_index.btc_usd
  readonly data: unknown
}

export interface WireHeartbeat {
  /** A test_request requires a call of public/test, or the server closes the socket. */
  readonly type: 'heartbeat' | 'test_request'
}

/** Data of deribit_price_index.{index_name}, about once a second for the busy ones. */
export interface WireIndexPrice {
  readonly timestamp: number // ms
  readonly price: number
  readonly index_name: string // btc_usd
}

/** The answer to a call, with the id of the call. */
export interface WireAnswer {
  readonly jsonrpc: '2.0'
  readonly id?: number
  readonly result?: unknown
  readonly error?: { readonly code: number; readonly message: string }
  readonly usOut?: number // when the answer left the exchange, µs
}

/** Result of public/get_index_price. */
export interface WireIndexPriceResult {
  readonly index_price: number
  readonly estimated_delivery_price: number
}
