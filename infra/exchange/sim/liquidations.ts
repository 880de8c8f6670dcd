/**
 * Forced orders of one simulated symbol: a random share of market orders counts as liquidations.
 * Like the exchange, it sends only the latest one per second.
 */
import type { Fill } from './order-flow.ts'

/** In ticks and steps; `ts_ms` is the time of the fills. */
export interface ForcedOrder {
  readonly ts_ms: number
  /** The taker sold. */
  readonly is_sell: boolean
  /** Limit price: worse than the worst fill, so that the order fills at once. */
  readonly price: number
  readonly average_price: number
  readonly qty: number
  readonly last_qty: number
}

/** Share of market orders that are forced. */
const FORCED_SHARE = 0.01
const LIMIT_DISTANCE = 0.005

export class Liquidations {
  readonly #random: () => number
  #latest: ForcedOrder | undefined

  /** `random` must be a separate generator, so that liquidations do not change the market. */
  constructor(random: () => number) {
    this.#random = random
  }

  /** The fills of one market order. */
  note(fills: readonly Fill[], ts_ms: number): void {
    const last = fills.at(-1)
    if (last === undefined || this.#random() >= FORCED_SHARE) return
    const qty = fills.reduce((sum, fill) => sum + fill.qty, 0)
    const turnover = fills.reduce((sum, fill) => sum + fill.price * fill.qty, 0)
    const is_sell = last.is_buyer_maker
    const distance = Math.ceil(last.price * LIMIT_DISTANCE)
    const price = Math.max(1, last.price + (is_sell ? -distance : distance))
    this.#latest = {
      ts_ms,
      is_sell,
      price,
      average_price: Math.round(turnover / qty),
      qty,
      last_qty: last.qty,
    }
  }

  /** The latest forced order since the last call. */
  take(): ForcedOrder | undefined {
    const latest = this.#latest
    this.#latest = undefined
    return latest
  }
}
