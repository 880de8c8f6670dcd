import { expect, test } from 'vitest'
import { OrderBook } from '#core/book.ts'
import type { DepthChange } from '#core/book-sync.ts'
import type { Level } from '#core/market.ts'
import { micros } from '#core/time.ts'
import { topLevels, type TopRow } from '../../../jobs/topn/row.ts'
import { TopSampler } from '../../../jobs/topn/sampler.ts'
import { BTC, depthLines, FEEDS_DIR } from '../../core/depth-recordings.ts'

const CADENCE = { min_us: 100_000, max_us: 1_000_000 }
const START_S = 1_700_000_000
const at = (ms: number) => micros(START_S * 1_000_000 + ms * 1_000)

/** A diff in spot's form, with one bid. */
function diff(id: number, ms: number, price = 100 - (id % 7), qty = id): DepthChange {
  return {
    ts_exchange: at(ms),
    first_update_id: id,
    final_update_id: id,
    prev_final_update_id: null,
    bids: [[price, qty]],
    asks: [],
  }
}

function snapshot(id: number, ms: number): DepthChange {
  const levels = (sign: 1 | -1): readonly Level[] =>
    Array.from({ length: 12 }, (_, k) => [100.5 + sign * (k + 1), 5] as const)
  return { ...diff(id, ms), first_update_id: null, bids: levels(-1), asks: levels(1) }
}

function sample(
  snapshots: readonly DepthChange[],
  diffs: readonly DepthChange[],
  from = micros(0),
): readonly TopRow[] {
  const sampler = new TopSampler(CADENCE, from)
  sampler.addSnapshots(snapshots)
  return diffs.flatMap((one) => sampler.take(one))
}

const times = (rows: readonly TopRow[]): readonly number[] =>
  rows.map((row) => (row.ts_exchange - at(0)) / 1_000)

test('a row when the top changes, at most every 100 ms, and one every second', () => {
  const diffs = [
    diff(11, 10),
    diff(12, 20),
    diff(13, 130),
    // Far below the best ten levels.
    diff(14, 450, 1),
    diff(15, 2_340),
    diff(16, 5_000),
  ]
  expect(times(sample([snapshot(10, 0)], diffs))).toEqual([
    100, 200, 1_000, 2_000, 2_400, 3_000, 4_000,
  ])
})

test('a row shows the book after the diffs at its own time, and no later ones', () => {
  const diffs = [diff(11, 50, 99, 7), diff(12, 100, 99, 8), diff(13, 101, 99, 9), diff(14, 250)]
  const rows = sample([snapshot(10, 0)], diffs)
  expect(times(rows)).toEqual([100, 200])
  expect(rows.map((row) => [row.final_update_id, row.values[3]])).toEqual([
    [12, 8],
    [13, 9],
  ])
})

test('no rows in a gap, nor after it until a diff continues the next snapshot', () => {
  const diffs = [
    diff(11, 100),
    diff(12, 900),
    diff(20, 3_000),
    diff(21, 4_000),
    diff(22, 5_500),
    diff(23, 6_600),
  ]
  const rows = sample([snapshot(10, 0), snapshot(21, 4_800)], diffs)
  expect(times(rows)).toEqual([100, 5_500, 6_000])
})

test('a snapshot that fills a gap at once gives no rows for the times in it', () => {
  const diffs = [diff(11, 100), diff(20, 3_000), diff(21, 4_000), diff(22, 5_500)]
  expect(times(sample([snapshot(10, 0), snapshot(20, 3_100)], diffs))).toEqual([4_000, 5_000])
})

test('a snapshot is placed by its id, whatever its time says', () => {
  const diffs = [diff(11, 100), diff(12, 350), diff(13, 1_200), diff(14, 1_400)]
  const early = sample([snapshot(10, -5_000)], diffs)
  expect(early.length).toBeGreaterThan(2)
  expect(sample([snapshot(10, 1_300)], diffs)).toEqual(early)
})

test('restarted from the snapshot before, it gives exactly the rows that follow', () => {
  const random = (n: number): number => Math.abs(Math.sin(n * 12.9898) * 43_758.5453) % 1
  let ms = 0
  const diffs = Array.from({ length: 2_000 }, (_, n) => {
    ms += Math.floor(random(n) * 90)
    return diff(11 + n, ms, Math.round(100 - random(n + 0.5) * 20), random(n + 0.7) < 0.3 ? 0 : n)
  })
  const whole = sample([snapshot(10, 0)], diffs)
  expect(whole.length).toBeGreaterThan(300)
  for (const cut of [400, 1_111, 1_900]) {
    const from = diffs[cut]!.ts_exchange
    const rest = whole.filter((row) => row.ts_exchange >= from)
    expect(sample([snapshot(10, 0)], diffs, from)).toEqual(rest)
  }
})

test.skipIf(FEEDS_DIR === undefined)(
  'BTCUSDT: every row is the recording’s book at its time, and every change of the top has its row (FEEDS_DIR names the recording)',
  () => {
    const lines = depthLines(BTC)
    const snapshots = lines.flatMap((line) => (line.kind === 'snapshot' ? [line.change] : []))
    const all = lines.flatMap((line) => (line.kind === 'diff' ? [line.change] : []))
    const rows = sample(snapshots, all)
    // The simple way: apply what is not older than the snapshot, and sample every 100 ms.
    const book = new OrderBook()
    book.replace(snapshots[0]!)
    const applied = all.filter((one) => one.final_update_id >= snapshots[0]!.final_update_id)
    const expected = new Map<number, readonly number[]>()
    let before = ''
    let next = 0
    const last = applied.at(-1)!.ts_exchange
    for (let t = Math.ceil(applied[0]!.ts_exchange / 100_000) * 100_000; t < last; t += 100_000) {
      while (applied[next]!.ts_exchange <= t) book.apply(applied[next++]!)
      const levels = [...topLevels(book)]
      const text = levels.join()
      if (text !== before || t % 1_000_000 === 0) expected.set(t, levels)
      before = text
    }
    expect(rows.length).toBeGreaterThan(2_000)
    expect(rows.map((row) => row.ts_exchange)).toEqual([...expected.keys()])
    for (const { ts_exchange, values } of rows) {
      expect(values.slice(0, 40)).toEqual(expected.get(ts_exchange))
    }
  },
)
