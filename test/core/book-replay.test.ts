/**
 * One book, three readers: bookAt, orderbook_topn and the book columns of features over the same
 * generated depth, compared with plain Maps that also record when the book is known.
 */
import { expect, test } from 'vitest'
import { bookAt } from '#core/book-at.ts'
import { BookReplay } from '#core/book-replay.ts'
import type { DepthChange } from '#core/book-sync.ts'
import { BOOK_COLUMNS } from '#core/features/book.ts'
import type { Level } from '#core/market.ts'
import { type Micros, micros } from '#core/time.ts'
import type { DepthRow } from '../../jobs/day/depth-reader.ts'
import { gridOf } from '../../jobs/day/grid.ts'
import { BookFold } from '../../jobs/features/book-columns.ts'
import { TopSampler } from '../../jobs/topn/sampler.ts'
import { randomNumbers } from '../jobs/features/random.ts'
import { sourceOf } from './depth-source.ts'

const START = 1_700_000_000_000_000
const SECONDS = 60
const at = (ms: number): Micros => micros(START + ms * 1_000)

/** USD-M sends the id of the previous diff; spot and Bybit do not. */
type Style = 'chained' | 'spot'

interface Made {
  readonly rows: readonly DepthRow[]
  /** The best bid by time; undefined when it cannot be known. */
  readonly bestBidAt: (ts: number) => number | undefined
}

/**
 * A minute of changes at random times. Some are lost. Snapshots come every few seconds, each with
 * the id of the newest change (a renewal of the same id) or with a slightly later time.
 */
function makeDepth(seed: number, style: Style, loss: number): Made {
  const random = randomNumbers(seed)
  const bids = new Map<number, number>(Array.from({ length: 14 }, (_, k) => [100 - k, 1]))
  const asks: readonly Level[] = Array.from({ length: 14 }, (_, k) => [150 + k, 1])
  const rows: DepthRow[] = []
  /** [time, best bid from that time, or undefined]. */
  const truth: [number, number | undefined][] = []
  let id = 1_000
  let is_known = false
  let ms = 0
  let next_snapshot_ms = 500
  const best = (): number => Math.max(...bids.keys())
  while (ms < SECONDS * 1_000) {
    ms += 1 + Math.floor(random() * 150)
    const before = id
    id += 1 + Math.floor(random() * 3)
    const price = 87 + Math.floor(random() * 20)
    const qty = bids.size > 11 && random() < 0.5 ? 0 : 1 + Math.floor(random() * 9)
    if (qty === 0) bids.delete(price)
    else bids.set(price, qty)
    if (random() < loss) is_known = false
    else {
      rows.push({
        ts_exchange: at(ms),
        depth_kind: 'diff',
        first_update_id: before + 1,
        final_update_id: id,
        prev_final_update_id: style === 'chained' ? before : null,
        bids: [[price, qty]],
        asks: [],
      })
    }
    truth.push([at(ms), is_known ? best() : undefined])
    if (ms < next_snapshot_ms) continue
    next_snapshot_ms = ms + 1_000 + Math.floor(random() * 6_000)
    // The snapshot has its arrival time, which is later than changes that follow it.
    rows.push({
      ts_exchange: at(ms + Math.floor(random() * 400)),
      depth_kind: 'snapshot',
      first_update_id: null,
      final_update_id: id,
      prev_final_update_id: null,
      bids: [...bids],
      asks,
    })
    is_known = true
    truth.push([at(ms), best()])
  }
  rows.sort((a, b) => a.ts_exchange - b.ts_exchange || a.final_update_id - b.final_update_id)
  return {
    rows,
    bestBidAt: (ts) => truth.findLast(([moment]) => moment <= ts)?.[1],
  }
}

for (const style of ['chained', 'spot'] as const) {
  for (const [seed, loss] of [
    [1, 0],
    [2, 0.01],
    [3, 0.05],
    [4, 0.2],
  ] as const) {
    test(`${style}, seed ${seed}, ${loss * 100} % lost: bookAt, topn rows and features agree`, async () => {
      const { rows, bestBidAt } = makeDepth(seed, style, loss)
      const cadence = { min_us: 100_000, max_us: 1_000_000 }
      const sampler = new TopSampler(cadence, micros(0))
      sampler.addSnapshots(rows.filter((row) => row.depth_kind === 'snapshot'))
      const top = new Map<number, readonly (number | null)[]>()
      for (const row of rows) {
        if (row.depth_kind === 'snapshot') continue
        for (const { ts_exchange, values } of sampler.take(row)) top.set(ts_exchange, values)
      }
      const grid = gridOf(micros(START), at(SECONDS * 1_000 - 1), 1_000_000)
      const fold = new BookFold(
        grid,
        BOOK_COLUMNS.map(({ name }) => name),
      )
      fold.add(rows)
      const columns = fold.finish([])

      let known_count = 0
      for (let second = 1; second < SECONDS; second++) {
        const moment = at(second * 1_000)
        const found = await bookAt(sourceOf(rows), micros(moment - 1))
        const best = found.kind === 'book' ? found.book.bids.priceAt(0) : undefined
        const feature = columns['i5']![second - 1]!
        const where = `second ${second}`
        // Every served book is correct.
        if (best !== undefined) expect(best, where).toBe(bestBidAt(moment - 1))
        if (!Number.isNaN(feature)) {
          const side = (levels: readonly Level[]): number =>
            levels.reduce((sum, [, qty]) => sum + qty, 0)
          if (found.kind !== 'book')
            throw new Error(`${where}: features have a book, but bookAt has none`)
          const [bid, ask] = [side(found.book.bids.top(5)), side(found.book.asks.top(5))]
          expect(feature, where).toBeCloseTo((bid - ask) / (bid + ask), 12)
          known_count += 1
        }
        const row = top.get(moment)
        const found_there = await bookAt(sourceOf(rows), moment)
        if (row !== undefined) {
          if (found_there.kind !== 'book')
            throw new Error(`${where}: a topn row, but bookAt has no book`)
          const levels = (side: readonly Level[]): readonly number[] => side.slice(0, 10).flat()
          expect(row.slice(0, 40), where).toEqual([
            ...levels(found_there.book.bids.top(10)),
            ...levels(found_there.book.asks.top(10)),
          ])
        }
        // A renewal must not make the book unknown.
        if (loss === 0 && second > 2) {
          expect(Number.isNaN(feature), where).toBe(false)
          expect(row, where).toBeDefined()
          expect(best, where).toBeDefined()
        }
      }
      if (loss <= 0.05) expect(known_count).toBeGreaterThan(10)
    })
  }
}

const change = (
  second: number,
  U: number | null,
  u: number,
  bids: readonly Level[] = [[u, 1]],
): DepthChange => ({
  ts_exchange: at(second * 1_000),
  first_update_id: U,
  final_update_id: u,
  prev_final_update_id: null,
  bids,
  asks: [[1_000_000, 1]],
})

test('a snapshot with the id of the last change renews the book without a break', () => {
  const replay = new BookReplay()
  replay.addSnapshots([change(0, null, 10), change(2.4, null, 12)])
  const spans: unknown[] = []
  for (const diff of [change(1, 11, 11), change(2, 12, 12), change(4, 13, 13)]) {
    const stretch = replay.before(diff)
    if (stretch !== undefined)
      spans.push([stretch.from, stretch.to, stretch.update_id, stretch.is_continued])
    spans.push(replay.take(diff))
  }
  expect(spans).toEqual([
    [at(0), at(1_000), 10, false],
    'found',
    [at(1_000), at(2_000), 11, true],
    'update',
    [at(2_000), at(4_000), 12, true],
    'update',
  ])
})

test('an exchange renumbers its books: the old numbering ends with the snapshot that starts the new one', () => {
  const replay = new BookReplay()
  replay.addSnapshots([change(0, null, 900), change(5, null, 1)])
  const outcomes = [change(1, 901, 901), change(4, 902, 902), change(6, 2, 2), change(7, 3, 3)].map(
    (diff) => {
      const stretch = replay.before(diff)
      return [stretch?.update_id, replay.take(diff)]
    },
  )
  expect(outcomes).toEqual([
    [900, 'found'],
    [901, 'update'],
    [undefined, 'found'],
    [2, 'update'],
  ])
  expect(replay.end(at(9_000))).toMatchObject({ update_id: 3, from: at(7_000) })
})
