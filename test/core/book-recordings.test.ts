/**
 * The books of recordings at random times, by three ways: bookAt, rows of orderbook_topn, and
 * features of a second. FEEDS_DIR is the folder of recordings.
 */
import { expect, test } from 'vitest'
import { bookAt } from '#core/book-at.ts'
import type { OrderBook } from '#core/book.ts'
import { micros } from '#core/time.ts'
import type { DepthRow } from '../../jobs/day/depth-reader.ts'
import { endOf, gridOf } from '../../jobs/day/grid.ts'
import { BookFold } from '../../jobs/features/book-columns.ts'
import { TopSampler } from '../../jobs/topn/sampler.ts'
import { randomNumbers } from '../jobs/features/random.ts'
import { BTC, depthLines, FEEDS_DIR, FIVE_COINS, SPOT } from './depth-recordings.ts'
import { sourceOf } from './depth-source.ts'
import { isNearest, negated, ratio, rational, sum, total } from './rational.ts'

const SEED = Number(process.env['SEED'] ?? Math.floor(Math.random() * 2 ** 31))
const MOMENTS = 10

for (const folder of [BTC, FIVE_COINS, SPOT]) {
  test.skipIf(FEEDS_DIR === undefined)(
    `${folder}: bookAt, top and features know the same book (needs FEEDS_DIR; seed ${SEED})`,
    async () => {
      const lines = depthLines(folder)
      let known_count = 0
      for (const symbol of new Set(lines.map((line) => line.symbol))) {
        const rows = lines
          .flatMap((line): readonly DepthRow[] =>
            line.kind === 'quote' || line.symbol !== symbol
              ? []
              : [{ ...line.change, depth_kind: line.kind }],
          )
          .toSorted(
            (a, b) => a.ts_exchange - b.ts_exchange || a.final_update_id - b.final_update_id,
          )
        known_count += await agreeingMoments(rows)
      }
      expect(known_count).toBeGreaterThan(MOMENTS / 2)
    },
  )
}

/** Returns how many of the times have a book. The book must be the same in all three ways. */
async function agreeingMoments(rows: readonly DepthRow[]): Promise<number> {
  const diffs = rows.filter((row) => row.depth_kind === 'diff')
  if (diffs.length === 0) return 0
  const sampler = new TopSampler({ min_us: 100_000, max_us: 1_000_000 }, micros(0))
  sampler.addSnapshots(rows.filter((row) => row.depth_kind === 'snapshot'))
  const top = new Map(
    diffs
      .flatMap((diff) => sampler.take(diff))
      .map((row) => [row.ts_exchange as number, row.values]),
  )
  const grid = gridOf(diffs[0]!.ts_exchange, diffs.at(-1)!.ts_exchange, 1_000_000)
  const fold = new BookFold(grid)
  fold.add(rows)
  const columns = fold.finish([])
  const random = randomNumbers(SEED)
  let known_count = 0
  for (let n = 0; n < MOMENTS; n++) {
    const row = Math.floor(random() * (grid.row_count - 1))
    const end = endOf(grid, row)
    // A features row contains changes before its end; a topn row, changes up to its time.
    const before = await bookAt(sourceOf(rows), micros(end - 1))
    const then = await bookAt(sourceOf(rows), micros(end))
    const shown = top.get(end)
    if (shown !== undefined) {
      if (then.kind !== 'book') throw new Error(`a topn row at ${end}, but bookAt has no book`)
      expect(shown.slice(0, 40), `top at ${end}`).toEqual(topOf(then.book))
    }
    for (const count of [5, 10]) {
      const value = columns[`i${count}`]![row]!
      if (Number.isNaN(value)) continue
      if (before.kind !== 'book') throw new Error(`i${count} before ${end}, but bookAt has no book`)
      expect(isNearest(value, imbalanceOf(before.book, count)), `i${count} before ${end}`).toBe(
        true,
      )
    }
    if (shown !== undefined && !Number.isNaN(columns['i10']![row]!)) known_count += 1
  }
  return known_count
}

function topOf({ bids, asks }: OrderBook): readonly (number | null)[] {
  return [bids, asks].flatMap((side) => {
    const levels = side.top(10).flat()
    return [...levels, ...Array.from({ length: 20 - levels.length }, () => null)]
  })
}

function imbalanceOf({ bids, asks }: OrderBook, count: number) {
  const qtyOf = (side: typeof bids) =>
    total(side.top(count).map(([, qty]) => rational(String(qty))))
  const [bid, ask] = [qtyOf(bids), qtyOf(asks)]
  return ratio(sum(bid, negated(ask)), sum(bid, ask))
}
