/**
 * Book features: gaps and late snapshots in hand-made cases, values against a slow implementation.
 */
import { expect, test } from 'vitest'
import type { DepthChange } from '#core/book-sync.ts'
import { BOOK_COLUMNS } from '#core/features/book.ts'
import type { Level } from '#core/market.ts'
import { micros } from '#core/time.ts'
import type { DepthRow } from '../../../jobs/day/depth-reader.ts'
import type { StreamGap } from '../../../jobs/day/gaps.ts'
import { gridOf } from '../../../jobs/day/grid.ts'
import { BookFold, type BookValues } from '../../../jobs/features/book-columns.ts'
import { BTC, depthLines, FEEDS_DIR, FIVE_COINS } from '../../core/depth-recordings.ts'
import { randomNumbers } from './random.ts'
import { slowBookRows } from './slow-book.ts'

const NAMES = BOOK_COLUMNS.map(({ name }) => name)
const N = NaN

/** Ten levels per side at 99, 98, .. and 101, 102, .. with quantity 1. */
const TEN: Pick<DepthRow, 'bids' | 'asks'> = {
  bids: Array.from({ length: 10 }, (_, k) => [99 - k, 1] as const),
  asks: Array.from({ length: 10 }, (_, k) => [101 + k, 1] as const),
}

function snapshot(second: number, id: number, levels = TEN): DepthRow {
  return {
    ts_exchange: micros(second * 1e6),
    depth_kind: 'snapshot',
    first_update_id: null,
    final_update_id: id,
    prev_final_update_id: null,
    ...levels,
  }
}

/** In USD-M's form: `id` follows `before`. */
function diff(
  second: number,
  before: number,
  id: number,
  bids: readonly Level[] = [],
  asks: readonly Level[] = [],
): DepthRow {
  return {
    ts_exchange: micros(Math.round(second * 1e6)),
    depth_kind: 'diff',
    first_update_id: before + 1,
    final_update_id: id,
    prev_final_update_id: before,
    bids,
    asks,
  }
}

const grid = gridOf(micros(0), micros(5.5e6), 1e6)

function fold(rows: readonly DepthRow[], gaps: readonly StreamGap[] = []): BookValues {
  const book = new BookFold(grid)
  for (const row of rows) book.add([row])
  return book.finish(gaps)
}
const list = (values: BookValues, name: string): readonly number[] => [...values[name]!]

test('computes exactly the columns of the registry, or the requested ones', () => {
  expect(Object.keys(fold([]))).toEqual(NAMES)
  expect(Object.keys(new BookFold(grid, ['i5', 'mlofi_3']).finish([]))).toEqual(['i5', 'mlofi_3'])
})

test('a quiet second shows the current book, with no update and no flow', () => {
  const c = fold([snapshot(0, 10), diff(0.5, 10, 11, [[99, 3]]), diff(3.5, 11, 12, [[99, 7]])])
  expect(list(c, 'depth_update_count')).toEqual([1, 0, 0, 1, 0, 0])
  // The first book starts the chain; then a quantity of 4 was added to the bid.
  expect(list(c, 'mlofi_1')).toEqual([0, 0, 0, 4, 0, 0])
  expect(list(c, 'bid_wall_size')).toEqual([3, 3, 3, 7, 7, 7])
  expect(list(c, 'i5').map((value) => Number(value.toFixed(6)))).toEqual(
    [2 / 12, 2 / 12, 2 / 12, 6 / 16, 6 / 16, 6 / 16].map((value) => Number(value.toFixed(6))),
  )
})

test('a book carried over midnight shows from the first second on, but its flow before the grid does not count', () => {
  const c = fold([
    snapshot(-50, 10),
    diff(-40, 10, 11),
    diff(-1, 11, 12, [[99, 5]]),
    diff(1.5, 12, 13, [[99, 6]]),
  ])
  expect(list(c, 'bid_wall_size')).toEqual([5, 6, 6, 6, 6, 6])
  expect(list(c, 'mlofi_1')).toEqual([0, 1, 0, 0, 0, 0])
  expect(list(c, 'depth_update_count')).toEqual([0, 1, 0, 0, 0, 0])
})

test('null from the last update before a gap until a diff continues the next snapshot', () => {
  const c = fold([
    snapshot(0, 10),
    diff(0.5, 10, 11, [[99, 2]]),
    diff(2.5, 15, 16),
    snapshot(3.1, 17),
    diff(3.2, 16, 17),
    diff(4.2, 17, 18, [[99, 9]]),
    diff(4.4, 18, 19, [[99, 10]]),
  ])
  expect(list(c, 'bid_wall_size')).toEqual([N, N, N, 1, 10, 10])
  // After the gap the chain restarts with update 17; 18 and 19 contribute 8 and 1.
  expect(list(c, 'mlofi_1')).toEqual([N, N, N, 0, 9, 0])
})

test('a snapshot that arrives after newer diffs is still placed before them', () => {
  const late = fold([diff(0.5, 10, 11, [[99, 3]]), diff(1.5, 11, 12, [[99, 4]]), snapshot(30, 10)])
  expect(list(late, 'bid_wall_size')).toEqual([3, 4, 4, 4, 4, 4])
  // After more than a minute it is too late: the diffs were taken without a book.
  expect(list(fold([diff(0.5, 10, 11), diff(90, 11, 12), snapshot(95, 10)]), 'i5')).toEqual([
    N,
    N,
    N,
    N,
    N,
    N,
  ])
})

test('a snapshot in between does not count as an update, and the chain continues over it', () => {
  const with_one = fold([
    snapshot(0, 10),
    diff(0.5, 10, 11),
    snapshot(1, 11),
    diff(1.5, 11, 12, [[99, 4]]),
  ])
  const without = fold([snapshot(0, 10), diff(0.5, 10, 11), diff(1.5, 11, 12, [[99, 4]])])
  expect(with_one).toEqual(without)
})

test('an open gap of the ledger hides the seconds that end in it; a repaired one hides none', () => {
  const rows = [snapshot(0, 10), diff(0.5, 10, 11), diff(5.2, 11, 12)]
  const gap = (repaired: boolean): StreamGap => ({
    from_ts: micros(1.5e6),
    to_ts: micros(4e6),
    from_id: null,
    to_id: null,
    cause: 'disconnect',
    repaired,
  })
  expect(list(fold(rows, [gap(false)]), 'depth_update_count')).toEqual([1, N, N, N, 0, 1])
  expect(fold(rows, [gap(true)])).toEqual(fold(rows))
})

test('with too few levels, each column is null by its own rule', () => {
  const seven = { bids: TEN.bids.slice(0, 7), asks: TEN.asks }
  const c = fold([snapshot(0, 10, seven), diff(0.5, 10, 11), diff(1.5, 11, 12, [[99, 2]])])
  const known = NAMES.filter((name) => !Number.isNaN(c[name]![1]))
  const expected = [
    'i5',
    'depth_update_count',
    'mlofi_1',
    'mlofi_2',
    'mlofi_3',
    'mlofi_4',
    'mlofi_5',
    'mlofi_6',
    'mlofi_7',
  ]
  expect(known).toEqual([
    ...expected,
    'mlofi_norm_5',
    'ask_wall_size',
    'ask_wall_dist_bps',
    'ask_wall_ratio',
    'ask_slope',
  ])
})

test('a level that was missing at any time of the second makes only its own flow null', () => {
  const nine = { bids: TEN.bids.slice(0, 9), asks: TEN.asks }
  const c = fold([
    snapshot(0, 10, nine),
    diff(0.5, 10, 11),
    diff(1.2, 11, 12, [[80, 4]]),
    diff(2.2, 12, 13, [[80, 5]]),
  ])
  expect(list(c, 'mlofi_10').slice(0, 3)).toEqual([N, N, 1])
  expect(list(c, 'mlofi_9').slice(0, 3)).toEqual([0, 0, 0])
})

/**
 * Orders that join, leave or take from the best levels of a book, one diff each. A second's flow is
 * then the signed size of the messages that changed the best level: quantity added to the bid or
 * taken from the ask counts as positive (Cont, Kukanov & Stoikov 2014, section 2.1).
 */
function randomOrders(
  seed: number,
  count: number,
): { readonly rows: readonly DepthRow[]; readonly flow: readonly number[] } {
  const random = randomNumbers(seed)
  const sides = { bids: new Map<number, number>(TEN.bids), asks: new Map<number, number>(TEN.asks) }
  const rows: DepthRow[] = [snapshot(0, 1), diff(0, 1, 2)]
  const flow = Array.from({ length: grid.row_count }, () => 0)
  for (let i = 0; i < count; i++) {
    const ts = 0.001 + (i * 5.9) / count
    const name = random() < 0.5 ? 'bids' : 'asks'
    const side = sides[name]
    const sign = name === 'bids' ? 1 : -1
    const best = name === 'bids' ? Math.max(...side.keys()) : Math.min(...side.keys())
    const other = name === 'bids' ? Math.min(...sides.asks.keys()) : Math.max(...sides.bids.keys())
    const has_room = Math.abs(other - best) > 1
    const [size, way] = [1 + Math.floor(random() * 5), random()]
    let [price, qty, signed] = [best, side.get(best)! + size, size]
    if (way < 0.1 && has_room) [price, qty] = [best + sign, size]
    else if (way < 0.45 && side.size > 12) {
      const taken = Math.min(size, side.get(best)!)
      ;[qty, signed] = [side.get(best)! - taken, -taken]
    } else if (way < 0.6) {
      price = best - sign * (1 + Math.floor(random() * 11))
      ;[qty, signed] = [(side.get(price) ?? 0) + size, 0]
    }
    if (qty === 0) side.delete(price)
    else side.set(price, qty)
    rows.push(
      diff(
        ts,
        i + 2,
        i + 3,
        name === 'bids' ? [[price, qty]] : [],
        name === 'asks' ? [[price, qty]] : [],
      ),
    )
    flow[Math.floor(ts)]! += sign * signed
  }
  return { rows, flow }
}

for (const seed of [1, 2, 3]) {
  test(`seed ${seed}: mlofi_1 is the signed size of the messages that changed the best level`, () => {
    const { rows, flow } = randomOrders(seed, 3_000)
    expect(list(fold(rows), 'mlofi_1')).toEqual(flow)
  })

  test(`seed ${seed}: random books against the slow implementation`, () => {
    const { rows } = randomOrders(seed, 500)
    const expected = slowBookRows(rows[0]!, rows.slice(1), 0, grid.row_count)
    expect(differences(fold(rows), expected)).toEqual([])
  })

  test(`seed ${seed}: a mirrored book negates imbalance and flow, and swaps the sides of the rest`, () => {
    const { rows } = randomOrders(seed, 500)
    const mirror = (levels: readonly Level[]): readonly Level[] =>
      levels.map(([price, qty]) => [200 - price, qty])
    const mirrored = rows.map((row) => ({ ...row, bids: mirror(row.asks), asks: mirror(row.bids) }))
    const [one, other] = [fold(rows), fold(mirrored)]
    for (const name of NAMES) {
      if (/^(i|mlofi)/.test(name)) {
        for (const [row, value] of one[name]!.entries())
          expect(other[name]![row]).toBeCloseTo(-value, 12)
      } else if (/_wall_(size|ratio)$/.test(name)) {
        const twin = name.startsWith('bid')
          ? name.replace('bid', 'ask')
          : name.replace('ask', 'bid')
        expect(other[twin]).toEqual(one[name])
      }
    }
  })
}

for (const folder of [BTC, FIVE_COINS]) {
  test.skipIf(FEEDS_DIR === undefined)(
    `${folder}: every second of every book equals the slow implementation (needs FEEDS_DIR)`,
    () => {
      const lines = depthLines(folder)
      for (const symbol of new Set(lines.map((line) => line.symbol))) {
        const of = (kind: 'diff' | 'snapshot'): readonly DepthChange[] =>
          lines.flatMap((line) =>
            line.kind === kind && line.symbol === symbol ? [line.change] : [],
          )
        const [first] = of('snapshot')
        const diffs = of('diff').toSorted(
          (a, b) => a.ts_exchange - b.ts_exchange || a.final_update_id - b.final_update_id,
        )
        const continuing = diffs.find((one) => one.final_update_id >= first!.final_update_id)!
        const of_symbol = gridOf(continuing.ts_exchange, diffs.at(-1)!.ts_exchange, 1e6)
        const book = new BookFold(of_symbol)
        book.add([{ ...first!, depth_kind: 'snapshot' }])
        book.add(diffs.map((one) => ({ ...one, depth_kind: 'diff' })))
        const found = book.finish([])
        const expected = slowBookRows(first!, diffs, of_symbol.from / 1e6, of_symbol.row_count)
        expect(expected.length).toBeGreaterThan(80)
        expect(differences(found, expected)).toEqual([])
      }
    },
  )
}

function differences(
  found: BookValues,
  expected: readonly Record<string, number | null>[],
): readonly string[] {
  return expected.flatMap((values, row) =>
    NAMES.flatMap((name) => {
      const [is, should] = [found[name]![row]!, values[name]!]
      const is_same = Number.isFinite(should)
        ? Math.abs(is - should) <= 1e-8 * Math.max(1, Math.abs(should))
        : Number.isNaN(is)
      return is_same ? [] : [`${name} ${row}: ${is}, not ${should}`]
    }),
  )
}
