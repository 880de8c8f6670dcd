/** The simulated exchange's listing and its changes: listed, delisted, finer tick. */
import { OperatorError } from '#core/errors.ts'
import type { Hub, Topic } from '../protocol/hub.ts'
import type { ListedMarket, ListingChange } from '../source.ts'
import { namedSymbols, type SimulatedSymbol } from './listings.ts'
import type { Market } from './market.ts'
import { contractInfoPayload } from './payloads.ts'

const NEWS_STREAM = '!contractInfo'

export class ListingBoard {
  readonly #market: Market
  readonly #hub: Hub
  readonly #listings: Map<string, ListedMarket>
  #topic: Topic | undefined

  constructor(market: Market, simulated: readonly SimulatedSymbol[], hub: Hub) {
    this.#market = market
    this.#hub = hub
    this.#listings = new Map(simulated.map(({ listing }) => [listing.symbol, listing]))
  }

  listings(): readonly ListedMarket[] {
    return [...this.#listings.values()]
  }

  topicOf(stream: string): Topic | undefined {
    if (stream !== NEWS_STREAM) return undefined
    return (this.#topic ??= this.#hub.createTopic(NEWS_STREAM))
  }

  /** Throws OperatorError `bad_faults` if the symbol's state does not allow the change. */
  change({ symbol, change }: ListingChange): void {
    const listing = this.#listings.get(symbol)
    const is_trading = listing?.is_trading ?? false
    if (is_trading === (change === 'list')) {
      const state = is_trading ? 'is already traded' : 'is not traded'
      throw new OperatorError('bad_faults', `Cannot ${change} ${symbol}: it ${state}.`)
    }
    if (change === 'list') this.#list(symbol, listing)
    else if (change === 'delist') this.#delist(listing!)
    else this.#listings.set(symbol, withFinerTick(listing!))
  }

  #list(symbol: string, before: ListedMarket | undefined): void {
    const simulated = namedSymbols([symbol])[0]!
    this.#listings.set(
      symbol,
      before === undefined ? simulated.listing : { ...before, is_trading: true },
    )
    this.#market.add(simulated)
    this.#publish(symbol, 'TRADING')
  }

  #delist(listing: ListedMarket): void {
    this.#listings.set(listing.symbol, { ...listing, is_trading: false })
    this.#market.remove(listing.symbol)
    this.#publish(listing.symbol, 'SETTLING')
  }

  #publish(symbol: string, status: string): void {
    if (this.#topic === undefined) return
    const { now_ms } = this.#market
    this.#hub.publish(this.#topic, now_ms, now_ms, contractInfoPayload(symbol, status, now_ms))
    this.#hub.flush()
  }
}

/** Prices keep moving by the old tick, which is a multiple of the new one. */
function withFinerTick(listing: ListedMarket): ListedMarket {
  const price_decimals = listing.price_decimals + 1
  return {
    ...listing,
    price_decimals,
    tick_size: (Number(listing.tick_size) / 10).toFixed(price_decimals),
  }
}
