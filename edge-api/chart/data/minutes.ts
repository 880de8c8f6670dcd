/**
 * Footprint bars of single minutes from live trades, by the same code as the API's: the sums are
 * exact, so a bar of them has the bits of the API's bar.
 */
import { type Bar, joinBars } from '#core/clusters/bar.ts'
import { TradeFold } from '#core/clusters/fold-trades.ts'
import { micros, SECOND_US } from '#core/time.ts'
import { compareTrades, type Trade } from './trades.ts'

export const MINUTE_US = 60 * SECOND_US
/** Minutes that are kept, and those of them whose trades are kept. */
const BARS_KEPT = 130
const TRADES_KEPT = 3

interface Minute {
  /** Undefined: too old to take further trades. */
  trades: Trade[] | undefined
  bar: Bar | undefined
  /** So many of the trades are in the bar. */
  folded_count: number
}

export class Minutes {
  /** Trades before it are not taken. */
  readonly from: number
  readonly #minutes = new Map<number, Minute>()
  #newest = 0
  /** Goes up with every change of a minute that was over. */
  revision = 0

  constructor(from: number) {
    this.from = from
  }

  /** Start of the newest minute with a trade; 0 if there is none. */
  get newest(): number {
    return this.#newest
  }

  /** Minutes from here on are complete. */
  get complete_from(): number {
    return Math.max(this.from, this.#newest - (BARS_KEPT - 1) * MINUTE_US)
  }

  /** False if the trade belongs to a minute that is not here: only the API has it. */
  add(trade: Trade): boolean {
    const ts = trade.ts - (trade.ts % MINUTE_US)
    if (ts < this.complete_from) return false
    const minute = this.#minutes.get(ts) ?? this.#begin(ts)
    if (minute.trades === undefined) return false
    const last = minute.trades.at(-1)
    minute.trades.push(trade)
    if (ts < this.#newest) this.revision++
    if (last !== undefined && compareTrades(last, trade) > 0) {
      minute.trades.sort(compareTrades)
      minute.folded_count = 0
      minute.bar = undefined
    }
    return true
  }

  /** Undefined for a minute without trades. */
  barOf(ts: number): Bar | undefined {
    const minute = this.#minutes.get(ts)
    if (minute === undefined) return undefined
    const { trades = [], folded_count } = minute
    if (folded_count < trades.length) {
      const fold = new TradeFold(MINUTE_US)
      for (const { ts: at, price, qty, is_sell } of trades.slice(folded_count)) {
        fold.add(micros(at), price, qty, is_sell)
      }
      const bars = minute.bar === undefined ? fold.take() : [minute.bar, ...fold.take()]
      minute.bar = joinBars(micros(ts), bars)
      minute.folded_count = trades.length
    }
    return minute.bar
  }

  #begin(ts: number): Minute {
    const minute: Minute = { trades: [], bar: undefined, folded_count: 0 }
    this.#minutes.set(ts, minute)
    if (ts <= this.#newest) return minute
    this.#newest = ts
    for (const [at, old] of this.#minutes) {
      if (at <= ts - BARS_KEPT * MINUTE_US) this.#minutes.delete(at)
      if (at > ts - TRADES_KEPT * MINUTE_US || old.trades === undefined) continue
      this.barOf(at)
      old.trades = undefined
    }
    return minute
  }
}
