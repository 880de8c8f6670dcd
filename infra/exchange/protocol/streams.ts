/** Names of Binance's streams, and the route of USD-M that delivers each. */

/**
 * A socket has a route. A stream of the other route is acknowledged but never delivered. `every`:
 * the exchange has no routes.
 */
export type Route = 'public' | 'market' | 'every'

export interface BinanceStream {
  /** Lower case, as the exchange spells it: `btcusdt`. */
  readonly symbol: string
  /** `bookTicker`, `depth`, `depth20`, `aggTrade`, `markPrice`, `kline_1m` ... */
  readonly stream_class: string
  /** Milliseconds between frames; undefined if the name does not contain it. */
  readonly interval_ms: number | undefined
}

const PUBLIC_CLASS = /^(bookTicker|trade|depth(5|10|20)?|rpiDepth)$/

/** Undefined if the name is not a symbol's stream: no `@`, all-market, or an unknown suffix. */
export function parseStreamName(stream: string): BinanceStream | undefined {
  const match = /^([^@!]+)@([A-Za-z0-9_]+)(?:@(\d+)(ms|s))?$/.exec(stream)
  if (match === null) return undefined
  const [, symbol, stream_class, amount, unit] = match
  const interval_ms = amount === undefined ? undefined : Number(amount) * (unit === 's' ? 1_000 : 1)
  return { symbol: symbol!, stream_class: stream_class!, interval_ms }
}

export function isOnRoute(stream: string, route: Route): boolean {
  return route === 'every' || route === routeOf(stream)
}

function routeOf(stream: string): Route {
  const stream_class = parseStreamName(stream)?.stream_class ?? stream.replace(/^!/, '')
  return PUBLIC_CLASS.test(stream_class) ? 'public' : 'market'
}

/** The name without its speed: a recording may have `@depth@0ms` for a client's `@depth@100ms`. */
export function withoutSpeed(stream: string): string {
  const name = parseStreamName(stream)
  return name === undefined ? stream : `${name.symbol}@${name.stream_class}`
}
