/** Fits of a day, each compared with another way to compute the same number. */
import { expect, test } from 'vitest'
import { micros } from '#core/time.ts'
import { cutsOf, type StreamGap } from '../../../jobs/day/gaps.ts'
import { columnsFor } from '../../../jobs/day/grid-columns.ts'
import { gridOf } from '../../../jobs/day/grid.ts'
import type { ExactColumn } from '../../../jobs/features/exact-column.ts'
import { fitWeights } from '../../../jobs/features/fit/integrated-ofi.ts'
import { fitStoikov, microprice, type StoikovTable } from '../../../jobs/features/fit/stoikov.ts'
import { fitVpin, Vpin, type VpinStart } from '../../../jobs/features/fit/vpin.ts'
import { QuoteFold, type QuoteResult } from '../../../jobs/features/quote-columns.ts'
import type { SideVolumes } from '../../../jobs/features/trade-columns.ts'
import type { TopOfBook } from '../../../jobs/formulas/formulas.ts'
import { randomNumbers } from './random.ts'

const gridOfSeconds = (count: number) => gridOf(micros(0), micros((count - 1) * 1e6), 1e6)

function quotesOf(books: readonly TopOfBook[], gaps: readonly StreamGap[] = []): QuoteResult {
  const fold = new QuoteFold(gridOfSeconds(books.length), cutsOf(gaps))
  const column = (pick: (book: TopOfBook) => number): Float64Array => Float64Array.from(books, pick)
  fold.add({
    row_count: books.length,
    ts_exchange: Float64Array.from(books, (_, i) => i * 1e6 + 5e5),
    update_id: Float64Array.from(books, (_, i) => i),
    best_bid: column((book) => book.best_bid),
    bid_qty: column((book) => book.bid_qty),
    best_ask: column((book) => book.best_ask),
    ask_qty: column((book) => book.ask_qty),
  })
  return fold.finish()
}

/** A market whose mid follows the imbalance; the tick is 1/8, so that prices are exact. */
function randomMarket(seed: number, count: number): readonly TopOfBook[] {
  const random = randomNumbers(seed)
  let bid = 1_000
  let imbalance = 0.5
  return Array.from({ length: count }, () => {
    imbalance = Math.min(0.99, Math.max(0.01, imbalance + (random() - 0.5) * 0.3))
    if (random() < 0.2) bid += random() < imbalance ? 0.125 : -0.125
    const spread = random() < 0.8 ? 0.125 : 0.25
    return {
      best_bid: bid,
      bid_qty: imbalance * 100,
      best_ask: bid + spread,
      ask_qty: (1 - imbalance) * 100,
    }
  })
}

const quote = (imbalance: number, spread = 0.125): TopOfBook => ({
  best_bid: 500,
  bid_qty: imbalance * 100,
  best_ask: 500 + spread,
  ask_qty: (1 - imbalance) * 100,
})
const adjustment = (table: StoikovTable, imbalance: number, spread?: number): number => {
  const book = quote(imbalance, spread)
  return microprice(table, book)! - (book.best_bid + book.best_ask) / 2
}

/**
 * g by following the chain for many steps: the mean change of the mid from each state, by repeated
 * multiplication instead of elimination.
 */
function slowStoikov(books: readonly TopOfBook[]): ReadonlyMap<string, number> {
  const stateOf = (
    { best_bid, bid_qty, best_ask, ask_qty }: TopOfBook,
    is_mirrored: boolean,
  ): string => {
    const tenth = Math.min(9, Math.floor((bid_qty / (bid_qty + ask_qty)) * 10))
    return `${Math.round((best_ask - best_bid) / 0.125)}/${is_mirrored ? 9 - tenth : tenth}`
  }
  const steps = new Map<string, { readonly to: string; readonly change: number }[]>()
  for (let i = 1; i < books.length; i++) {
    const [a, b] = [books[i - 1]!, books[i]!]
    const change = (b.best_bid + b.best_ask - a.best_bid - a.best_ask) / 2
    for (const is_mirrored of [false, true]) {
      const from = stateOf(a, is_mirrored)
      const taken = steps.get(from) ?? []
      taken.push({ to: stateOf(b, is_mirrored), change: is_mirrored ? -change : change })
      steps.set(from, taken)
    }
  }
  // The micro-price is the mid in the long run: the mean of all future changes.
  let g = new Map([...steps.keys()].map((state) => [state, 0]))
  for (let step = 0; step < 500; step++) {
    g = new Map(
      [...steps].map(([state, taken]) => [
        state,
        taken.reduce((sum, { to, change }) => sum + change + (g.get(to) ?? 0), 0) / taken.length,
      ]),
    )
  }
  return g
}

for (const seed of [1, 2]) {
  test(`seed ${seed}: the micro-price is the mean of where the mid goes in the long run`, () => {
    const books = randomMarket(seed, 3_000)
    const table = fitStoikov(quotesOf(books))!
    const slow = slowStoikov(books)
    expect(table.spread_unit).toBe(0.125)
    expect(slow.size).toBe(20)
    for (const [state, g] of slow) {
      const [units, tenth] = state.split('/').map(Number) as [number, number]
      expect(adjustment(table, tenth / 10 + 0.05, units * 0.125), state).toBeCloseTo(g, 6)
    }
  })
}

/** In two stretches; the second continues from the state that the first one saved. */
function vpinOf(trades: SideVolumes, start: VpinStart): Float64Array {
  const [row_count, first] = [trades.buy_volume.column.length, new Vpin(start)]
  const cut = Math.floor(row_count / 2)
  const values = [
    ...first.over(trades, 0, cut),
    ...new Vpin(first.save()).over(trades, cut, row_count),
  ]
  return Float64Array.from(values)
}

test('the micro-price leans to where the mid goes, is antisymmetric, and is null for unseen states', () => {
  const table = fitStoikov(quotesOf(randomMarket(3, 5_000)))!
  expect(adjustment(table, 0.95)).toBeGreaterThan(0.01)
  for (const tenth of [0, 1, 2, 3, 4]) {
    expect(adjustment(table, tenth / 10 + 0.05)).toBeCloseTo(
      -adjustment(table, 0.95 - tenth / 10),
      9,
    )
  }
  expect(microprice(table, quote(0.5, 0.5))).toBeNull()
  expect(microprice(table, quote(0.5, 0))).toBeNull()
  expect(microprice(table, quote(0.5, -0.125))).toBeNull()
  expect(microprice(table, { ...quote(0.5), bid_qty: 0, ask_qty: 0 })).toBeNull()
  expect(microprice(table, { ...quote(0.5), best_bid: 0 })).toBeNull()
})

test('there is no fit if the mid never moves, or for a day without quotes', () => {
  expect(fitStoikov(quotesOf(Array.from({ length: 500 }, () => quote(0.7))))).toBeUndefined()
  expect(fitStoikov(quotesOf([]))).toBeUndefined()
})

test('a step across a gap does not count', () => {
  const books = randomMarket(4, 2_000)
  const jump = books.map((book, i) =>
    i < 1_000 ? book : { ...book, best_bid: book.best_bid + 64, best_ask: book.best_ask + 64 },
  )
  const gap: StreamGap = {
    from_ts: micros(999.5e6),
    to_ts: micros(1_000.5e6),
    from_id: null,
    to_id: null,
    cause: 'disconnect',
    repaired: false,
  }
  expect(fitStoikov(quotesOf(jump, [gap]))).toEqual(fitStoikov(quotesOf(books, [gap])))
  expect(fitStoikov(quotesOf(jump))).not.toEqual(fitStoikov(quotesOf(books)))
})

function tradesOf(
  volumes: readonly (readonly [bought: number, sold: number] | null)[],
): SideVolumes {
  const side = (at: 0 | 1): ExactColumn => ({
    column: Float64Array.from(volumes, (pair) => pair?.[at] ?? NaN),
    rest: new Map(),
  })
  return { buy_volume: side(0), sell_volume: side(1) }
}

/** VPIN computed unit by unit. Volumes are whole numbers, and so is the bucket. */
function slowVpin(
  start: { readonly bucket: number; readonly units: readonly number[] },
  volumes: readonly (readonly [number, number] | null)[],
): readonly (number | null)[] {
  let units = [...start.units]
  return volumes.map((pair) => {
    if (pair === null) {
      units = []
      return null
    }
    const [bought, sold] = pair
    // Each unit of a second has the second's share of buyers: 1 all bought, -1 all sold.
    const share = bought + sold === 0 ? 0 : (bought - sold) / (bought + sold)
    for (let i = 0; i < bought + sold; i++) units.push(share)
    const full = Math.floor(units.length / start.bucket)
    if (full < 50) return null
    let sum = 0
    for (let k = full - 50; k < full; k++) {
      const bucket = units.slice(k * start.bucket, (k + 1) * start.bucket)
      sum += Math.abs(bucket.reduce((total, unit) => total + unit, 0))
    }
    return sum / (50 * start.bucket)
  })
}

test('vpin equals the unit-by-unit computation, over huge seconds, quiet ones and a gap', () => {
  const random = randomNumbers(5)
  const day = (): (readonly [number, number] | null)[] =>
    Array.from({ length: 600 }, () => [Math.floor(random() * 9), Math.floor(random() * 9)] as const)
  const before = day()
  // The day before has a volume whose fiftieth is a whole number.
  const rest = before.reduce((sum, pair) => sum + pair![0] + pair![1], 0) % 50
  before.push([50 - rest, 0])
  const total = before.reduce((sum, pair) => sum + pair![0] + pair![1], 0)
  const start = fitVpin(tradesOf(before))!
  expect(start.bucket_volume).toBe(total / 50)
  const units = before.flatMap((pair) => {
    const [bought, sold] = pair!
    return Array.from({ length: bought + sold }, () => (bought - sold) / (bought + sold))
  })
  const today = day()
  today[100] = [total * 3, total * 2 + 7]
  today[200] = null
  today[300] = [total, 13]
  const expected = slowVpin({ bucket: total / 50, units }, today)
  const found = vpinOf(tradesOf(today), start)
  expect(expected[0]).not.toBeNull()
  expect(expected[250]).toBeNull()
  expect(expected[599]).not.toBeNull()
  for (const [row, value] of expected.entries()) {
    if (value === null) expect(found[row], `row ${row}`).toBeNaN()
    else expect(found[row], `row ${row}`).toBeCloseTo(value, 9)
  }
})

test('vpin is 1 if everything was bought, 0 if buyers and sellers were even, and symmetric', () => {
  const start: VpinStart = { bucket_volume: 2, imbalances: [], buy_volume: 0, sell_volume: 0 }
  const last = (pair: readonly [number, number]): number =>
    vpinOf(tradesOf(Array.from({ length: 60 }, () => pair)), start).at(-1)!
  expect(last([2, 0])).toBe(1)
  expect(last([1, 1])).toBe(0)
  expect(last([1.5, 0.5])).toBe(last([0.5, 1.5]))
})

test('a day without trades leaves no buckets', () => {
  expect(fitVpin(tradesOf([[0, 0], null]))).toBeUndefined()
})

test('the weights of the integrated ofi are the direction in which the levels vary most', () => {
  const random = randomNumbers(6)
  const count = 2_000
  const names = [
    ...Array.from({ length: 10 }, (_, k) => `mlofi_${k + 1}`),
    'level_qty_mean',
    'depth_update_count',
  ]
  const book = columnsFor(names, gridOfSeconds(count), 0)
  for (let row = 0; row < count; row++) {
    const common = random() - 0.5
    book['level_qty_mean']![row] = 2
    book['depth_update_count']![row] = row % 7 === 0 ? 0 : 3
    for (let k = 0; k < 10; k++) book[`mlofi_${k + 1}`]![row] = common * (10 - k) + (random() - 0.5)
  }
  const weights = fitWeights(book)!
  expect(weights.reduce((sum, weight) => sum + Math.abs(weight), 0)).toBeCloseTo(1, 12)
  const varianceAlong = (direction: readonly number[]): number => {
    const length = Math.hypot(...direction)
    const rows = Array.from({ length: count }, (_, row) => row).filter((row) => row % 7 !== 0)
    const seen = rows.map((row) =>
      direction.reduce(
        (sum, weight, k) => sum + (weight / length) * book[`mlofi_${k + 1}`]![row]!,
        0,
      ),
    )
    const mean = seen.reduce((a, b) => a + b, 0) / seen.length
    return seen.reduce((sum, value) => sum + (value - mean) ** 2, 0) / seen.length
  }
  const best = varianceAlong(weights)
  for (let i = 0; i < 100; i++) {
    const other = weights.map((weight) => weight + (random() - 0.5) * 0.02)
    expect(varianceAlong(other)).toBeLessThanOrEqual(best * (1 + 1e-9))
  }
  expect(weights[0]).toBeGreaterThan(weights[9]!)
})

test('fewer than 300 seconds with updates give no weights', () => {
  const names = [
    ...Array.from({ length: 10 }, (_, k) => `mlofi_${k + 1}`),
    'level_qty_mean',
    'depth_update_count',
  ]
  const book = columnsFor(names, gridOfSeconds(299), 1)
  expect(fitWeights(book)).toBeUndefined()
})
