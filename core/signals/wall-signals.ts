/**
 * Signals of one symbol's book: a wall appeared, or was pulled. The book is seen once a second; a
 * second without a row of orderbook_topn breaks the chain. A signal depends on the samples of
 * RUN_UP_S seconds at most. Pure and exact.
 */
import {
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
import type { Level } from '../market.ts'
import { DAY_US, type Micros, SECOND_US } from '../time.ts'
import { SIGNALS_VERSION, WALL } from './parameters.ts'
import { detailsOf, type Signal } from './signal.ts'
import { type BlindSpan, BlindSpans, medianOf } from './window.ts'

/** A signal depends on samples from at most this long before it. */
export const WALL_RUN_UP_US = (WALL.rest_s + WALL.samples + 2) * SECOND_US

/** The book at a whole second: its best levels, best first. */
export interface BookSample {
  readonly ts: Micros
  readonly bids: readonly Level[]
  readonly asks: readonly Level[]
}

/** A signal whose `ts` is not known here: it is the update that confirms the sample. */
export type WallDraft = Omit<Signal, 'ts'> & { readonly bar_ts: Micros }

type Side = 'bid' | 'ask'

interface Seen {
  readonly sample: BookSample
  readonly sides: { readonly [side in Side]: SeenSide }
}

/** A side with too few levels has no median, and no walls. */
interface SeenSide {
  readonly qtys: ReadonlyMap<number, number>
  readonly worst: number
  /** Every level of less is certainly no wall. */
  readonly qty_min: number
}

/** A price that has, or had, a wall. */
interface Wall {
  /** Samples in a row, up to the last one that had it. */
  samples: number
  last_ts: Micros
  /** The price was in view before the first of them, without a wall. */
  is_new: boolean
}

export class WallSignals {
  readonly #gaps: BlindSpans
  readonly #walls: { readonly [side in Side]: Map<number, Wall> } = {
    bid: new Map(),
    ask: new Map(),
  }
  #before: Seen | undefined
  /** Takers' quantity by price since the last sample: sold into bids, bought from asks. */
  readonly #traded: { readonly [side in Side]: Map<number, Decimal> } = {
    bid: new Map(),
    ask: new Map(),
  }

  /** `gaps`: spans in which trades are missing. */
  constructor(gaps: readonly BlindSpan[]) {
    this.#gaps = new BlindSpans(gaps)
  }

  /** Takes the next trade. Add those of up to a sample's time before the sample. */
  addTrade(price: number, qty: number, is_buyer_maker: boolean): void {
    const traded = this.#traded[is_buyer_maker ? 'bid' : 'ask']
    traded.set(price, plus(traded.get(price) ?? ZERO, decimalOf(qty)))
  }

  /** Takes the next sample in order of time. */
  add(sample: BookSample): readonly WallDraft[] {
    const seen = { sample, sides: { bid: seenSide(sample.bids), ask: seenSide(sample.asks) } }
    const follows = this.#before !== undefined && isNext(this.#before.sample.ts, sample.ts)
    const before = follows ? this.#before! : undefined
    if (before === undefined) for (const walls of Object.values(this.#walls)) walls.clear()
    const drafts = (['bid', 'ask'] as const).flatMap((side) => [
      ...this.#pulled(side, before, seen),
      ...this.#appeared(side, before, seen),
    ])
    this.#before = seen
    for (const traded of Object.values(this.#traded)) traded.clear()
    return sample.ts % DAY_US >= DAY_US - WALL.quiet_s * SECOND_US ? [] : drafts
  }

  #pulled(side: Side, before: Seen | undefined, now: Seen): readonly WallDraft[] {
    if (before === undefined) return []
    const { sample } = now
    // The trades between both samples must be known.
    if (before.sample.ts <= this.#gaps.before(sample.ts + 1)) return []
    const [old, current] = [before.sides[side], now.sides[side]]
    const drafts: WallDraft[] = []
    for (const [price, wall] of this.#walls[side]) {
      const is_standing = wall.last_ts === before.sample.ts && wall.samples >= WALL.samples
      if (!is_standing || !isInView(side, current, price)) continue
      const qty = decimalOf(old.qtys.get(price)!)
      const qty_after = decimalOf(current.qtys.get(price) ?? 0)
      const fall = minus(qty, qty_after)
      const traded_qty = this.#traded[side].get(price) ?? ZERO
      const is_pulled =
        compare(times(fall, WALL.fall_part), qty) >= 0 &&
        compare(times(traded_qty, WALL.traded_part), fall) <= 0
      if (!is_pulled) continue
      drafts.push({
        ...draftOf('wall_pulled', side === 'bid' ? 'sell' : 'buy', sample.ts, price),
        strength: quotient(fall, qty),
        details: detailsOf({ qty, reference_qty: medianOfSide(old), qty_after, traded_qty }),
      })
    }
    return drafts
  }

  #appeared(side: Side, before: Seen | undefined, now: Seen): readonly WallDraft[] {
    const { sample } = now
    const current = now.sides[side]
    const walls = this.#walls[side]
    const drafts: WallDraft[] = []
    let median: Decimal | undefined
    for (const [price, qty] of current.qtys) {
      if (qty < current.qty_min) continue
      median ??= medianOfSide(current)
      const exact = decimalOf(qty)
      if (compare(exact, times(median, WALL.ratio)) < 0) continue
      const known = walls.get(price)
      if (known !== undefined && known.last_ts === before?.sample.ts) {
        known.samples += 1
        known.last_ts = sample.ts
      } else {
        const is_back = known !== undefined && sample.ts - known.last_ts <= WALL.rest_s * SECOND_US
        const is_new = !is_back && before !== undefined && isInView(side, before.sides[side], price)
        walls.set(price, { samples: 1, last_ts: sample.ts, is_new })
      }
      const wall = walls.get(price)!
      if (wall.samples !== WALL.samples || !wall.is_new) continue
      drafts.push({
        ...draftOf('wall_appeared', side === 'bid' ? 'buy' : 'sell', sample.ts, price),
        strength: quotient(exact, median),
        details: detailsOf({ qty: exact, reference_qty: median }),
      })
    }
    for (const [price, { last_ts }] of walls) {
      if (sample.ts - last_ts >= WALL.rest_s * SECOND_US) walls.delete(price)
    }
    return drafts
  }
}

function draftOf(
  kind: 'wall_appeared' | 'wall_pulled',
  side: 'buy' | 'sell',
  bar_ts: Micros,
  price: number,
): Omit<WallDraft, 'strength' | 'details'> {
  const prices = { price_low: price, price_high: price }
  return { kind, interval_s: null, bar_ts, side, ...prices, version: SIGNALS_VERSION }
}

/** The next second of the same UTC day. */
function isNext(before: Micros, ts: Micros): boolean {
  return ts - before === SECOND_US && ts % DAY_US !== 0
}

function seenSide(levels: readonly Level[]): SeenSide {
  const best = levels.slice(0, WALL.levels)
  const is_whole = best.length === WALL.levels
  return {
    qtys: new Map(best),
    worst: is_whole ? best.at(-1)![0] : NaN,
    qty_min: is_whole ? (1 - 1e-9) * RATIO * roughMedian(best) : Infinity,
  }
}

const RATIO = nearest(WALL.ratio)

/** Good enough to tell levels that are no walls, which most are. */
function roughMedian(levels: readonly Level[]): number {
  const qtys = Float64Array.from(levels, ([, qty]) => qty).toSorted()
  return (qtys[(qtys.length - 1) >> 1]! + qtys[qtys.length >> 1]!) / 2
}

function medianOfSide({ qtys }: SeenSide): Decimal {
  return medianOf(Array.from(qtys.values(), decimalOf))
}

/** Whether a quantity at this price would be among the levels. */
function isInView(side: Side, { worst }: SeenSide, price: number): boolean {
  return side === 'bid' ? price >= worst : price <= worst
}
