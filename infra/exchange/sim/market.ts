/**
 * All simulated symbols on one clock. Actions are a Poisson process; each action draws its symbol
 * by weight. Windows end at multiples of 100 ms. The same seed and start give the same market,
 * however calls of advance() split the time.
 */
import type { Hub, Topic } from '../protocol/hub.ts'
import { firstWhere } from '../trade-range.ts'
import type { SimulatedSymbol } from './listings.ts'
import { FRAMES_PER_ACTION } from './order-flow.ts'
import { FUTURES_STYLE, type PayloadStyle } from './payloads.ts'
import { createRandom } from './random.ts'
import { SymbolMarket } from './symbol-market.ts'

export interface MarketOptions {
  readonly seed: number
  readonly symbols: readonly SimulatedSymbol[]
  /** Mean number of bookTicker and aggTrade frames a second, over all symbols. */
  readonly events_per_s: number
  /** Trades kept for REST over all symbols, each as a fill and in its aggregate. */
  readonly history_trades_max: number
  readonly start_ms: number
  /** Default: Binance USD-M. */
  readonly style?: PayloadStyle
}

const WINDOW_MS = 100
const SECOND_MS = 1_000
const HISTORY_ROWS_MIN = 1_000
/** Update ids are one sequence over all of the exchange's symbols, so they jump. */
const UPDATE_ID_JUMP_MAX = 40

export class Market {
  readonly #hub: Hub
  readonly #seed: number
  readonly #style: PayloadStyle
  /** Symbols that trade. */
  #symbols: readonly SymbolMarket[]
  /** Includes delisted symbols: their trades can still be requested. */
  readonly #by_name: Map<string, SymbolMarket>
  readonly #weights: Map<string, number>
  readonly #random: () => number
  #cumulative_weights: Float64Array
  readonly #action_interval_ms: number
  #u: number
  #now_ms: number
  #next_action_ms: number
  #next_window_ms: number

  constructor(options: MarketOptions, hub: Hub) {
    const { symbols, start_ms } = options
    const total_weight = symbols.reduce((sum, { weight }) => sum + weight, 0)
    const ids = firstIds(start_ms)
    this.#hub = hub
    this.#seed = options.seed
    this.#style = options.style ?? FUTURES_STYLE
    this.#random = createRandom(options.seed)
    this.#u = ids.update_id
    this.#symbols = symbols.map((symbol) => {
      const share = (options.history_trades_max * symbol.weight) / total_weight
      return new SymbolMarket(
        symbol,
        options.seed,
        ids,
        Math.max(HISTORY_ROWS_MIN, Math.ceil(share)),
        this.#style,
        hub,
      )
    })
    this.#by_name = new Map(this.#symbols.map((market) => [market.symbol, market]))
    this.#weights = new Map(symbols.map(({ listing, weight }) => [listing.symbol, weight]))
    this.#cumulative_weights = this.#addUpWeights()
    this.#action_interval_ms = 1_000 / (options.events_per_s / FRAMES_PER_ACTION)
    this.#now_ms = start_ms
    this.#next_action_ms = start_ms + this.#interval()
    this.#next_window_ms = (Math.floor(start_ms / WINDOW_MS) + 1) * WINDOW_MS
  }

  /** The market's clock: whole milliseconds that never decrease. */
  get now_ms(): number {
    return Math.floor(this.#now_ms)
  }

  find(symbol: string): SymbolMarket | undefined {
    return this.#by_name.get(symbol)
  }

  topicsOf(stream: string): readonly Topic[] {
    const name = stream.split('@')[0]!
    // The exchange accepts stream names in lower case only.
    const market = name === name.toLowerCase() ? this.find(name.toUpperCase()) : undefined
    const topic = market?.topicOf(stream)
    return topic === undefined ? [] : [topic]
  }

  /** Runs until `to_ms` or for `steps_max` actions. Returns true if it reached `to_ms`. */
  advance(to_ms: number, steps_max: number): boolean {
    let steps_left = steps_max
    while (Math.min(this.#next_action_ms, this.#next_window_ms) <= to_ms) {
      if (steps_left === 0) return false
      if (this.#next_window_ms <= this.#next_action_ms) {
        this.#endWindow()
      } else {
        this.#step()
        steps_left -= 1
      }
    }
    this.#now_ms = Math.max(this.#now_ms, to_ms)
    return true
  }

  /** Skips time without actions, so that a market that fell behind catches up. */
  skipTo(to_ms: number): void {
    if (to_ms <= this.#now_ms) return
    // Trades that wait for the end of their window belong to the time before the skip.
    if (this.#next_window_ms <= to_ms) this.#endWindow()
    this.#next_action_ms = to_ms + this.#interval()
    this.#now_ms = to_ms
    this.#next_window_ms = Math.max(
      this.#next_window_ms,
      (Math.floor(to_ms / WINDOW_MS) + 1) * WINDOW_MS,
    )
  }

  /** Makes every symbol quote and trade at least once, so that every stream has a frame. */
  rollCall(): void {
    for (const market of this.#symbols) {
      let has_quoted = false
      let has_traded = false
      while (!has_quoted || !has_traded) {
        const moved = market.step(this.#nextUpdateId(), this.now_ms)
        has_quoted ||= moved.has_quoted
        has_traded ||= moved.has_traded
      }
    }
  }

  /** Lists a symbol. One that was delisted before continues where it stopped. */
  add(simulated: SimulatedSymbol): void {
    const { symbol } = simulated.listing
    const ids = { ...firstIds(this.#now_ms), update_id: this.#u }
    const market =
      this.#by_name.get(symbol) ??
      new SymbolMarket(simulated, this.#seed, ids, HISTORY_ROWS_MIN, this.#style, this.#hub)
    this.#by_name.set(symbol, market)
    this.#weights.set(symbol, simulated.weight)
    this.#symbols = [...this.#symbols.filter((one) => one !== market), market]
    this.#cumulative_weights = this.#addUpWeights()
  }

  /** Stops a symbol. */
  remove(symbol: string): void {
    this.#symbols = this.#symbols.filter((one) => one.symbol !== symbol)
    this.#cumulative_weights = this.#addUpWeights()
  }

  #addUpWeights(): Float64Array {
    const weights = this.#symbols.map(({ symbol }) => this.#weights.get(symbol)!)
    const total = weights.reduce((sum, weight) => sum + weight, 0)
    let sum = 0
    return Float64Array.from(weights, (weight) => (sum += weight / total))
  }

  #nextUpdateId(): number {
    this.#u += 1 + Math.floor(this.#random() * UPDATE_ID_JUMP_MAX)
    return this.#u
  }

  #step(): void {
    this.#now_ms = this.#next_action_ms
    this.#next_action_ms += this.#interval()
    const u = this.#nextUpdateId()
    const drawn = this.#random()
    const at = firstWhere(
      this.#symbols.length - 1,
      (index) => this.#cumulative_weights[index]! > drawn,
    )
    this.#symbols[at]!.step(u, this.now_ms)
  }

  #endWindow(): void {
    const now_ms = this.#next_window_ms
    this.#now_ms = now_ms
    this.#next_window_ms += WINDOW_MS
    for (const market of this.#symbols) market.endWindow(now_ms)
    if (now_ms % SECOND_MS === 0) for (const market of this.#symbols) market.endSecond(now_ms)
  }

  #interval(): number {
    return -Math.log(1 - this.#random()) * this.#action_interval_ms
  }
}

const EPOCH_MS = Date.UTC(2026, 0, 1)

/**
 * A market that starts later has larger ids, as if it had run in between, because an exchange's ids
 * never decrease. The assumed rates are far above those of a simulation.
 */
function firstIds(start_ms: number): { agg_trade_id: number; trade_id: number; update_id: number } {
  const elapsed_s = Math.max(0, Math.floor((start_ms - EPOCH_MS) / 1_000))
  return {
    agg_trade_id: 1_000_000_000 + elapsed_s * 10_000,
    trade_id: 3_000_000_000 + elapsed_s * 20_000,
    update_id: 9_000_000_000_000 + elapsed_s * 10_000_000,
  }
}
