/**
 * The bars that still grow from the live stream: the newest one and the one before it, begun with
 * what the API has of them.
 */
import { ATR_LOOKBACK, binOfBars } from '#core/clusters/auto-bin.ts'
import type { Bar } from '#core/clusters/bar.ts'
import { figuresOf } from '#core/clusters/figures.ts'
import { nearest } from '#core/decimals.ts'
import { HOUR_US } from '#core/time.ts'
import type { Interval } from '../view/view.ts'
import { askCandles, type Candle, INTERVAL_US } from './candles.ts'
import { askBars, barOfSums, type Footprint, footprintOfBar, stepOf } from './clusters.ts'
import type { Feed } from './feed.ts'
import type { Instrument } from './instrument.ts'
import { type AskBase, LiveBar } from './live-bar.ts'

export interface GrowingBarsOptions {
  readonly instrument: Instrument
  readonly interval: Interval
  /** Ticks; 0: they follow the market. */
  readonly bin: number
  readonly signal: AbortSignal
  candles(from: number, to: number): Iterable<Candle>
  /** The API has footprints, and they are loaded around `ts`. */
  hasFootprint(ts: number): boolean
}

export class GrowingBars {
  readonly #options: GrowingBarsOptions
  readonly #interval_us: number
  readonly #tick: string
  readonly #step_ticks = new Map<number, number>()
  #bars: LiveBar[] = []

  constructor(options: GrowingBarsOptions) {
    this.#options = options
    this.#interval_us = INTERVAL_US[options.interval]
    this.#tick = options.instrument.tick_size ?? '0.01'
  }

  /** Start of the earliest one; Infinity without any. */
  get from(): number {
    return Math.min(...this.#bars.map(({ ts }) => ts))
  }

  clear(): void {
    this.#bars = []
  }

  /** What `minutes` has of the newest interval and of the one before it. */
  take(minutes: Feed['minutes']): readonly Bar[] {
    if (minutes === undefined || minutes.newest === 0) return []
    const newest = minutes.newest - (minutes.newest % this.#interval_us)
    for (const ts of [newest - this.#interval_us, newest]) {
      if (this.#bars.some((bar) => bar.ts === ts)) continue
      if (ts + this.#interval_us <= minutes.from) continue
      const step = stepOf(this.#tick, this.#binOf(ts))
      this.#bars.push(new LiveBar(ts, this.#interval_us, step, minutes, this.#askBase))
    }
    this.#bars = this.#bars.filter(({ ts }) => ts >= newest - this.#interval_us)
    return this.#bars.flatMap((growing) => growing.bar() ?? [])
  }

  candleOf(bar: Bar): Candle {
    const figures = figuresOf(bar, stepOf(this.#tick, this.#binOf(bar.ts)))
    return {
      ts: bar.ts,
      open: bar.open,
      high: bar.high,
      low: bar.low,
      close: bar.close,
      buy_volume: nearest(figures.buy_volume),
      sell_volume: nearest(figures.sell_volume),
      trade_count: figures.trade_count,
    }
  }

  footprintOf(bar: Bar): Footprint {
    return footprintOfBar(bar, this.#tick, this.#binOf(bar.ts))
  }

  /** Ticks of a bin of the bar that begins at `ts`; a bar keeps them. */
  #binOf(ts: number): number {
    const { bin, candles } = this.#options
    if (bin > 0) return bin
    const known = this.#step_ticks.get(ts)
    if (known !== undefined) return known
    const bars = [...candles(ts - ATR_LOOKBACK * this.#interval_us, ts)]
    const ticks = binOfBars(bars, Number(this.#tick))
    this.#step_ticks.set(ts, ticks)
    return ticks
  }

  /** Whole hours, then minutes: sums of them are the bar. */
  readonly #askBase: AskBase = async (from, to, step) => {
    const hour = Math.max(from, to - (to % HOUR_US))
    const pieces = (
      [
        ['1h', from, hour],
        ['1m', hour, to],
      ] as const
    ).filter(([, begin, end]) => begin < end)
    const bars: Bar[] = []
    for (const [interval, begin, end] of pieces) {
      bars.push(...(await this.#askPiece(interval, begin, end, step)))
    }
    return bars
  }

  async #askPiece(
    interval: Interval,
    from: number,
    to: number,
    step: Parameters<AskBase>[2],
  ): Promise<readonly Bar[]> {
    const { instrument, signal, hasFootprint } = this.#options
    if (hasFootprint(from)) {
      const ticks = Math.round(nearest(step) / Number(this.#tick))
      return askBars(instrument, interval, ticks, from, to, signal)
    }
    const candles = await askCandles(instrument, interval, from, to, signal)
    return candles.map((candle) => barOfSums(candle, step))
  }
}
