/**
 * Index prices of the simulated market, as Deribit publishes them: once a second, each follows the
 * index price of its coin's perpetual.
 */
import { INDEX_CHANNEL, indexPayload } from '../deribit/index-channel.ts'
import type { Hub, Topic } from '../protocol/hub.ts'
import type { IndexSource, IndexValue, ListedMarket } from '../source.ts'
import type { Market } from './market.ts'

interface Index {
  readonly name: string
  readonly listing: ListedMarket
  topic: Topic | undefined
  published_ms: number
}

export class IndexBoard implements IndexSource {
  readonly #market: Market
  readonly #hub: Hub
  readonly #indexes: ReadonlyMap<string, Index>

  constructor(market: Market, listings: readonly ListedMarket[], hub: Hub) {
    this.#market = market
    this.#hub = hub
    this.#indexes = new Map(
      listings.map((listing) => {
        const name = `${listing.base_asset.toLowerCase()}_usd`
        return [name, { name, listing, topic: undefined, published_ms: 0 }]
      }),
    )
  }

  names(): readonly string[] {
    return [...this.#indexes.keys()]
  }

  latest(name: string): IndexValue | undefined {
    const index = this.#indexes.get(name)
    const row = index && this.#market.find(index.listing.symbol)?.premiumIndex()
    if (row === undefined) return undefined
    const price = Number(Number(row.indexPrice).toFixed(index!.listing.price_decimals))
    return { price, ts_ms: row.time }
  }

  /** The topic of an index's channel, created on first use. */
  topicOf(channel: string): Topic | undefined {
    if (!channel.startsWith(INDEX_CHANNEL)) return undefined
    const index = this.#indexes.get(channel.slice(INDEX_CHANNEL.length))
    if (index === undefined) return undefined
    return (index.topic ??= this.#hub.createTopic(channel))
  }

  /** Publishes new values. */
  publish(): void {
    for (const index of this.#indexes.values()) {
      const { topic } = index
      if (topic === undefined) continue
      const value = this.latest(index.name)
      if (value === undefined || value.ts_ms <= index.published_ms) continue
      index.published_ms = value.ts_ms
      const payload = this.#hub.wantsPayload(topic) ? indexPayload(index.name, value) : ''
      this.#hub.publish(topic, value.ts_ms, value.ts_ms, payload)
    }
  }
}
