/**
 * Rows of orderbook_topn against a computation that shares nothing with the job: books in plain
 * maps, searched for every time, with the formulas written out.
 */
import { expect, test } from 'vitest'
import type { DepthChange } from '#core/book-sync.ts'
import { silentLogger } from '#core/node/log.ts'
import { createTopnJob } from '../../../jobs/topn/run-topn.ts'
import { BTC, depthLines, FEEDS_DIR, FIVE_COINS } from '../../core/depth-recordings.ts'
import { createTestDatabase } from '../../support/database.ts'
import { loadRecordedDepth } from '../../support/recorded-depth.ts'

const MIN_US = 100_000
const MAX_US = 1_000_000
/** The newest two seconds wait for late companions. */
const HELD_US = 2_000_000

type Row = Readonly<Record<string, number | null>>
type Side = readonly (readonly [number, number])[]

for (const folder of [BTC, FIVE_COINS]) {
  test.skipIf(FEEDS_DIR === undefined)(
    `${folder}: every row, number by number, and no other row (FEEDS_DIR names the recording)`,
    async () => {
      const database = await createTestDatabase()
      await loadRecordedDepth(database, folder)
      const cadence = { min_us: MIN_US, max_us: MAX_US }
      const job = createTopnJob({ pool: database.pool, cadence, log: silentLogger, now: Date.now })
      await job.run(new AbortController().signal)
      const { rows } = await database.pool.query<Row & { symbol: string; ts: number }>(
        `select symbol, (extract(epoch from ts_exchange) * 1000000)::float8 as ts, t.*
       from marketdata.orderbook_topn t join marketdata.symbols s on s.id = symbol_id
       order by symbol, t.ts_exchange`,
      )
      const bySymbol = Map.groupBy(
        depthLines(folder).filter((line) => line.kind !== 'quote'),
        (line) => line.symbol,
      )
      let wall_count = 0
      for (const [symbol, lines] of bySymbol) {
        const [snapshot] = lines.flatMap((line) => (line.kind === 'snapshot' ? [line.change] : []))
        const diffs = lines.flatMap((line) => (line.kind === 'diff' ? [line.change] : []))
        const found = rows.filter((row) => row.symbol === symbol)
        const expected = expectedRows(snapshot!, diffs)
        expect(found.map((row) => row.ts)).toEqual(expected.map((row) => row['ts']))
        for (const [index, row] of expected.entries()) expectClose(found[index]!, row)
        wall_count += expected.filter((row) => (row['bid_wall_ratio'] ?? 0) >= 5).length
      }
      expect(bySymbol.size).toBe(folder === BTC ? 1 : 5)
      expect(wall_count).toBeGreaterThan(100)
    },
  )
}

function expectClose(found: Row, expected: Row): void {
  for (const [name, value] of Object.entries(expected)) {
    const got = found[name] ?? null
    const is_close =
      value === null || got === null
        ? got === value
        : Math.abs(got - value) <= 1e-9 * Math.abs(value)
    if (!is_close && name !== 'final_update_id')
      expect({ [name]: got, ts: expected['ts'] }).toEqual({ [name]: value, ts: expected['ts'] })
  }
  expect(Number(found['final_update_id'])).toBe(expected['final_update_id'])
}

function expectedRows(snapshot: DepthChange, recorded: readonly DepthChange[]): readonly Row[] {
  const newest = Math.max(snapshot.ts_exchange, ...recorded.map((diff) => diff.ts_exchange))
  const diffs = recorded
    .filter(
      (diff) =>
        diff.final_update_id >= snapshot.final_update_id && diff.ts_exchange < newest - HELD_US,
    )
    .toSorted((a, b) => a.ts_exchange - b.ts_exchange || a.final_update_id - b.final_update_id)
  const bids = new Map(snapshot.bids)
  const asks = new Map(snapshot.asks)
  const rows: Row[] = []
  let at = 0
  let shown = ''
  for (
    let t = Math.ceil(diffs[0]!.ts_exchange / MIN_US) * MIN_US;
    t < diffs.at(-1)!.ts_exchange;
    t += MIN_US
  ) {
    for (; diffs[at]!.ts_exchange <= t; at++) {
      for (const [book, changes] of [
        [bids, diffs[at]!.bids],
        [asks, diffs[at]!.asks],
      ] as const) {
        for (const [price, qty] of changes)
          if (qty === 0) book.delete(price)
          else book.set(price, qty)
      }
    }
    const [best_bids, best_asks] = [bestTen(bids, 1), bestTen(asks, -1)]
    const top = JSON.stringify([best_bids, best_asks])
    if (top !== shown || t % MAX_US === 0) {
      rows.push({
        ts: t,
        final_update_id: diffs[at - 1]!.final_update_id,
        ...rowOf(best_bids, best_asks),
      })
    }
    shown = top
  }
  return rows
}

/** `sign` 1: the highest prices first. */
function bestTen(book: ReadonlyMap<number, number>, sign: 1 | -1): Side {
  let best: [number, number][] = []
  for (const [price, qty] of book) {
    if (best.length === 10 && sign * price < sign * best[9]![0]) continue
    best = [...best, [price, qty] as [number, number]]
      .toSorted(([a], [b]) => sign * (b - a))
      .slice(0, 10)
  }
  return best
}

function rowOf(bids: Side, asks: Side): Row {
  const [[b1, b1_qty], [a1, a1_qty]] = [bids[0]!, asks[0]!]
  const mid = (b1 + a1) / 2
  const levels = { b: bids, a: asks }
  const prices = Object.fromEntries(
    (['b', 'a'] as const).flatMap((side) =>
      Array.from({ length: 10 }, (_, k) => [
        [`${side}${k + 1}_price`, levels[side][k]?.[0] ?? null],
        [`${side}${k + 1}_qty`, levels[side][k]?.[1] ?? null],
      ]).flat(),
    ) as [string, number | null][],
  )
  return {
    ...prices,
    i1: imbalanceOf(bids, asks, 1),
    i5: imbalanceOf(bids, asks, 5),
    i10: imbalanceOf(bids, asks, 10),
    microprice: (a1 * b1_qty + b1 * a1_qty) / (a1_qty + b1_qty),
    ...shapeOf('bid', bids, mid),
    ...shapeOf('ask', asks, mid),
  }
}

function imbalanceOf(bids: Side, asks: Side, n: number): number | null {
  if (bids.length < n || asks.length < n) return null
  const [bid, ask] = [bids, asks].map((side) => sum(side.slice(0, n).map(([, qty]) => qty)))
  return (bid! - ask!) / (bid! + ask!)
}

function shapeOf(name: 'bid' | 'ask', side: Side, mid: number): Row {
  const names = ['wall_size', 'wall_dist_bps', 'wall_ratio', 'slope'].map(
    (part) => `${name}_${part}`,
  )
  const bps = side.map(([price]) => (10_000 * Math.abs(price - mid)) / mid)
  const qtys = side.map(([, qty]) => qty)
  const size = Math.max(...qtys)
  const ordered = qtys.toSorted((a, b) => a - b)
  const cumulated = qtys.map((_, k) => sum(qtys.slice(0, k + 1)))
  const values =
    side.length < 10
      ? [null, null, null, null]
      : [
          size,
          bps[qtys.indexOf(size)]!,
          size / ((ordered[4]! + ordered[5]!) / 2),
          sum(bps.map((x, k) => x * cumulated[k]!)) / sum(bps.map((x) => x * x)),
        ]
  return Object.fromEntries(names.map((column, k) => [column, values[k]!]))
}

function sum(values: readonly number[]): number {
  return values.reduce((total, value) => total + value, 0)
}
