/**
 * Signals of footprint bars of one length. A bar's signals are known at its end, and depend on the
 * bar and on its lookback alone. registry.ts has the definitions in words. Pure and exact.
 */
import { type Bar, binBar, type Cell, deltaOf, volumeOf } from '../clusters/bar.ts'
import { figuresOf } from '../clusters/figures.ts'
import {
  absolute,
  compare,
  type Decimal,
  decimalOf,
  minus,
  nearest,
  plus,
  quotient,
  times,
  ZERO,
} from '../decimals.ts'
import { type Micros, micros, SECOND_US } from '../time.ts'
import {
  ABSORPTION,
  BINS_OF_BAR,
  DIVERGENCE,
  EXHAUSTION,
  LOOKBACK_BARS,
  LOOKBACK_BARS_MIN,
  SIGNALS_VERSION,
  STACKED,
} from './parameters.ts'
import { detailsOf, type Signal, type SignalKind } from './signal.ts'
import { type BlindSpans, Lookback, medianOf } from './window.ts'

/** What later bars need of a bar. */
interface PastBar {
  readonly ts: Micros
  readonly high: number
  readonly low: number
  readonly volume: Decimal
}

/** A bar with what its signals are made from. */
interface SeenBar {
  readonly bar: Bar
  readonly volume: Decimal
  readonly delta: Decimal
  readonly past: readonly PastBar[]
  /** Greatest high and least low of the past. */
  readonly past_high: number
  readonly past_low: number
}

type Draft = Omit<Signal, 'ts' | 'interval_s' | 'bar_ts' | 'version'>

export class BarSignals {
  readonly #interval_s: number
  readonly #tick: Decimal
  readonly #past: Lookback<PastBar>

  constructor(interval_s: number, tick_size: number) {
    this.#interval_s = interval_s
    this.#tick = decimalOf(tick_size)
    this.#past = new Lookback(LOOKBACK_BARS * interval_s * SECOND_US)
  }

  /** Takes the next bar, with a cell for every price. `gaps`: of the trades. */
  add(bar: Bar, gaps: BlindSpans): readonly Signal[] {
    const ts = micros(bar.ts + this.#interval_s * SECOND_US)
    const blind_until = gaps.before(ts)
    if (bar.ts <= blind_until) return []
    const past = this.#past.before(bar.ts, blind_until)
    const volume = bar.cells.reduce((sum, cell) => plus(sum, volumeOf(cell)), ZERO)
    this.#past.add({ ts: bar.ts, high: bar.high, low: bar.low, volume })
    if (past.length < LOOKBACK_BARS_MIN) return []
    const seen: SeenBar = {
      bar,
      volume,
      delta: deltaOf(bar.cells),
      past,
      past_high: Math.max(...past.map(({ high }) => high)),
      past_low: Math.min(...past.map(({ low }) => low)),
    }
    const common = { ts, interval_s: this.#interval_s, bar_ts: bar.ts, version: SIGNALS_VERSION }
    return this.#draftsOf(seen).map((draft) => ({ ...common, ...draft }))
  }

  #draftsOf(seen: SeenBar): readonly Draft[] {
    const ranges = seen.past.map(({ high, low }) => minus(decimalOf(high), decimalOf(low)))
    const bin_ticks = binTicks(medianOf(ranges), this.#tick)
    const step = times(this.#tick, { units: bin_ticks, digits: 0 })
    const bins: Bins = { bar: binBar(seen.bar, step), step, last: minus(step, this.#tick) }
    return [
      ...stackedImbalances(seen, bins),
      ...absorption(seen, bins),
      ...exhaustion(seen, bins),
      ...divergence(seen),
      ...unfinished(seen),
    ].map((draft) => {
      const is_binned = BINNED.has(draft.kind)
      return is_binned ? { ...draft, details: { bin_ticks, ...draft.details } } : draft
    })
  }
}

const BINNED: ReadonlySet<SignalKind> = new Set(['stacked_imbalance', 'absorption', 'exhaustion'])

/** The bar in bins of `step`. A bin's highest price is `last` above its lowest. */
interface Bins {
  readonly bar: Bar
  readonly step: Decimal
  readonly last: Decimal
}

/**
 * The largest of 1, 2, 5, 10, 20, 50 ... with which `range` has at least BINS_OF_BAR bins; 1 if
 * even that leaves fewer.
 */
export function binTicks(range: Decimal, tick: Decimal): number {
  const fits = (ticks: number): boolean =>
    compare(times(tick, { units: ticks * BINS_OF_BAR, digits: 0 }), range) <= 0
  let ticks = 1
  for (let decade = 1; fits(decade); decade *= 10) {
    for (const factor of [1, 2, 5]) if (fits(factor * decade)) ticks = factor * decade
  }
  return ticks
}

/** Every run of neighbouring bins in which one side outweighs the other across the diagonal. */
function stackedImbalances({ volume }: SeenBar, { bar, step, last }: Bins): readonly Draft[] {
  const { buy_imbalances, sell_imbalances } = figuresOf(bar, step, STACKED.ratio)
  const ofSide = (side: 'buy' | 'sell', prices: readonly Decimal[]): readonly Draft[] =>
    runsOf(prices, step).flatMap((run) => {
      const [low, high] = [run[0]!, run.at(-1)!]
      const cells = bar.cells.filter(
        ({ price }) => compare(price, low) >= 0 && compare(price, high) <= 0,
      )
      const qty = cells.reduce((sum, cell) => plus(sum, cell[`${side}_qty`]), ZERO)
      const is_strong =
        run.length >= STACKED.bins_min && compare(times(qty, STACKED.volume_part), volume) >= 0
      if (!is_strong) return []
      return {
        kind: 'stacked_imbalance' as const,
        side,
        price_low: nearest(low),
        price_high: nearest(plus(high, last)),
        strength: run.length,
        details: detailsOf({ qty, volume }),
      }
    })
  return [...ofSide('buy', buy_imbalances), ...ofSide('sell', sell_imbalances)]
}

/** Cuts ascending prices where they are more than a step apart. */
function runsOf(prices: readonly Decimal[], step: Decimal): readonly (readonly Decimal[])[] {
  const runs: Decimal[][] = []
  for (const price of prices) {
    const last = runs.at(-1)?.at(-1)
    if (last !== undefined && compare(plus(last, step), price) === 0) runs.at(-1)!.push(price)
    else runs.push([price])
  }
  return runs
}

/** Takers pushed hard one way, and the price closed against them. */
function absorption(seen: SeenBar, { bar, last }: Bins): readonly Draft[] {
  const { volume, delta, past } = seen
  const median = medianOf(past.map((one) => one.volume))
  const { volume_numerator, volume_denominator, delta_part } = ABSORPTION
  const is_heavy =
    compare(times(volume, volume_denominator), times(median, volume_numerator)) >= 0 &&
    compare(times(absolute(delta), delta_part), volume) >= 0
  const sellers_failed = compare(delta, ZERO) < 0 && bar.close >= bar.open
  const buyers_failed = compare(delta, ZERO) > 0 && bar.close <= bar.open
  if (!is_heavy || (!sellers_failed && !buyers_failed)) return []
  const cell = mostOf(bar.cells, sellers_failed ? 'sell_qty' : 'buy_qty')
  return [
    {
      kind: 'absorption',
      side: sellers_failed ? 'buy' : 'sell',
      price_low: nearest(cell.price),
      price_high: nearest(plus(cell.price, last)),
      strength: quotient(absolute(delta), volume),
      details: detailsOf({ volume, reference_qty: median, delta }),
    },
  ]
}

/** The cell with most of it; of equal ones the lowest. */
function mostOf(cells: readonly Cell[], name: 'buy_qty' | 'sell_qty'): Cell {
  return cells.reduce((best, cell) => (compare(cell[name], best[name]) > 0 ? cell : best))
}

/** A new extreme on which its takers ran out, bin by bin, and from which the price came back. */
function exhaustion(seen: SeenBar, { bar, step, last }: Bins): readonly Draft[] {
  const { cells, high, low, close } = bar
  const drafts: Draft[] = []
  const from_top = cells.slice(-3).toReversed()
  const top = from_top[0]!
  const dryAt = (three: readonly Cell[], name: 'buy_qty' | 'sell_qty'): boolean => {
    const [outer, next, third] = three
    if (next === undefined || third === undefined) return false
    const isBeside = (a: Cell, b: Cell): boolean =>
      compare(absolute(minus(a.price, b.price)), step) === 0
    return (
      isBeside(outer!, next) &&
      isBeside(next, third) &&
      compare(outer![name], next[name]) < 0 &&
      compare(next[name], third[name]) < 0 &&
      compare(times(outer![name], EXHAUSTION.part), third[name]) <= 0
    )
  }
  const draft = (
    side: 'buy' | 'sell',
    three: readonly Cell[],
    name: 'buy_qty' | 'sell_qty',
  ): Draft => {
    const [qty, third] = [three[0]![name], three[2]![name]]
    return {
      kind: 'exhaustion',
      side,
      price_low: nearest(three[0]!.price),
      price_high: nearest(plus(three[0]!.price, last)),
      strength: quotient(minus(third, qty), third),
      details: detailsOf({ qty, reference_qty: third }),
    }
  }
  const left_top = compare(decimalOf(close), top.price) < 0
  if (high > seen.past_high && left_top && dryAt(from_top, 'buy_qty')) {
    drafts.push(draft('sell', from_top, 'buy_qty'))
  }
  const from_bottom = cells.slice(0, 3)
  const left_bottom = compare(decimalOf(close), plus(from_bottom[0]!.price, step)) >= 0
  if (low < seen.past_low && left_bottom && dryAt(from_bottom, 'sell_qty')) {
    drafts.push(draft('buy', from_bottom, 'sell_qty'))
  }
  return drafts
}

/** A new extreme that the takers' delta does not confirm. */
function divergence({ bar, volume, delta, past_high, past_low }: SeenBar): readonly Draft[] {
  if (compare(times(absolute(delta), DIVERGENCE.delta_part), volume) < 0) return []
  const draft = (side: 'buy' | 'sell', price: number, reference: number): Draft => ({
    kind: 'delta_divergence',
    side,
    price_low: price,
    price_high: price,
    strength: quotient(absolute(delta), volume),
    details: detailsOf({ volume, delta, reference_price: decimalOf(reference) }),
  })
  const drafts: Draft[] = []
  const { high, low } = bar
  if (high > past_high && compare(delta, ZERO) < 0) drafts.push(draft('sell', high, past_high))
  if (low < past_low && compare(delta, ZERO) > 0) drafts.push(draft('buy', low, past_low))
  return drafts
}

/** A new extreme at whose last price both sides traded, so that the auction did not end there. */
function unfinished({ bar, past_high, past_low }: SeenBar): readonly Draft[] {
  const draft = (side: 'buy' | 'sell', cell: Cell, reference: number): readonly Draft[] => {
    const { buy_qty, sell_qty } = cell
    if (compare(buy_qty, ZERO) <= 0 || compare(sell_qty, ZERO) <= 0) return []
    const is_buy_less = compare(buy_qty, sell_qty) < 0
    const price = nearest(cell.price)
    return [
      {
        kind: 'unfinished_auction',
        side,
        price_low: price,
        price_high: price,
        strength: is_buy_less ? quotient(buy_qty, sell_qty) : quotient(sell_qty, buy_qty),
        details: detailsOf({ buy_qty, sell_qty, reference_price: decimalOf(reference) }),
      },
    ]
  }
  return [
    ...(bar.high > past_high ? draft('buy', bar.cells.at(-1)!, past_high) : []),
    ...(bar.low < past_low ? draft('sell', bar.cells[0]!, past_low) : []),
  ]
}
