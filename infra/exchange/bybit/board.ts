/** The simulated market as Bybit: one feed per requested symbol. */
import type { Hub, Topic } from '../protocol/hub.ts'
import type { Market } from '../sim/market.ts'
import { BybitSymbolFeed } from './symbol-feed.ts'

export class BybitBoard {
  readonly #market: Market
  readonly #hub: Hub
  readonly #feeds = new Map<string, BybitSymbolFeed>()

  constructor(market: Market, hub: Hub) {
    this.#market = market
    this.#hub = hub
  }

  topicOf(name: string): Topic | undefined {
    return this.#feedOf(name)?.topicOf(name)
  }

  /** The first frame of a new subscription to the topic. */
  openingFrame(name: string): string | undefined {
    return this.#feedOf(name)?.openingFrame(name, this.#market.now_ms)
  }

  #feedOf(name: string): BybitSymbolFeed | undefined {
    const symbol = /^(?:orderbook\.\d+|publicTrade|tickers|allLiquidation)\.(.+)$/.exec(name)?.[1]
    const market = symbol === undefined ? undefined : this.#market.find(symbol)
    if (symbol === undefined || market === undefined) return undefined
    const known = this.#feeds.get(symbol)
    if (known !== undefined) return known
    const feed = new BybitSymbolFeed(market, market.book, this.#market.now_ms, this.#hub)
    market.watcher = feed
    this.#feeds.set(symbol, feed)
    return feed
  }
}
