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
  /** All candles of [from, to) are loaded. */
  hasCandles(from: number, to: number): boolean
  /** The API has footprints, and they are loaded around `ts`. */
  hasFootprint(ts: number): boolean
}

export interface GrowingBar {
  readonly bar: Bar
  /** Ticks of its bins. */
  readonly bin_ticks: number
}

export class GrowingBars {
  readonly #options: GrowingBarsOptions
  readonly #interval_us: number
  readonly #tick: string
  #bars: { readonly live: LiveBar; readonly bin_ticks: number }[] = []

  constructor(options: GrowingBarsOptions) {
    this.#options = options
    this.#interval_us = INTERVAL_US[options.interval]
    this.#tick = options.instrument.tick_size ?? '0.01'
  }

  /** Start of the earliest one; Infinity without any. */
  get from(): number {
    return Math.min(...this.#bars.map(({ live }) => live.ts))
  }

  clear(): void {
    this.#bars = []
  }

  /**
   * What `minutes` has of the interval before the newest one, and then of the newest. The caller
   * keeps the candle of the first before it takes the second, whose bins may follow from it.
   */
  *take(minutes: Feed['minutes']): Generator<GrowingBar> {
    if (minutes === undefined || minutes.newest === 0) return
    const newest = minutes.newest - (minutes.newest % this.#interval_us)
    const before = newest - this.#interval_us
    this.#bars = this.#bars.filter(({ live }) => live.ts >= before)
    for (const ts of [before, newest]) {
      if (ts + this.#interval_us <= minutes.from) continue
      const bin_ticks = this.#binOf(ts)
      if (bin_ticks === undefined) continue
      const bar = this.#barOf(ts, bin_ticks, minutes).bar()
      if (bar !== undefined) yield { bar, bin_ticks }
    }
  }

  #barOf(ts: number, bin_ticks: number, minutes: NonNullable<Feed['minutes']>): LiveBar {
    const known = this.#bars.find(({ live }) => live.ts === ts)
    if (known?.bin_ticks === bin_ticks) return known.live
    const step = stepOf(this.#tick, bin_ticks)
    const live = new LiveBar(ts, this.#interval_us, step, minutes, this.#askBase)
    this.#bars = [...this.#bars.filter((one) => one !== known), { live, bin_ticks }]
    return live
  }

  candleOf({ bar, bin_ticks }: GrowingBar): Candle {
    const figures = figuresOf(bar, stepOf(this.#tick, bin_ticks))
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

  footprintOf({ bar, bin_ticks }: GrowingBar): Footprint {
    return footprintOfBar(bar, this.#tick, bin_ticks)
  }

  /** Ticks of a bin of the bar that begins at `ts`; undefined while the bars before are loaded. */
  #binOf(ts: number): number | undefined {
    const { bin, candles, hasCandles } = this.#options
    if (bin > 0) return bin
    const from = ts - ATR_LOOKBACK * this.#interval_us
    return hasCandles(from, ts) ? binOfBars([...candles(from, ts)], Number(this.#tick)) : undefined
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
