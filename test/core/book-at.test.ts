/** The rules of bookAt on made-up depth; recordings are in test/edge-api/queries/. */
import { expect, test } from 'vitest'
import { bookAt, type DepthSource } from '#core/book-at.ts'
import type { DepthChange } from '#core/book-sync.ts'
import type { Level } from '#core/market.ts'
import { type Micros, micros, SECOND_US } from '#core/time.ts'

const START = 1_700_000_000_000_000
const at = (second: number): Micros => micros(START + second * SECOND_US)

/** A change with one level, whose price is the id. */
function change(
  second: number,
  U: number | null,
  u: number,
  pu: number | null = null,
): DepthChange {
  const bids: readonly Level[] = [[u, 1]]
  const asks: readonly Level[] = [[1_000_000, 1]]
  const ids = { first_update_id: U, final_update_id: u, prev_final_update_id: pu }
  return { ts_exchange: at(second), ...ids, bids, asks }
}

const snapshot = (second: number, u: number): DepthChange => change(second, null, u)

/** Rows in memory, as a DepthSource of core/book-at.ts. */
function sourceOf(snapshots: readonly DepthChange[], diffs: readonly DepthChange[]): DepthSource {
  const ordered = diffs.toSorted(
    (a, b) => a.ts_exchange - b.ts_exchange || a.final_update_id - b.final_update_id,
  )
  return {
    snapshotBefore: async (ts) => snapshots.findLast((one) => one.ts_exchange <= ts),
    snapshotsAfter: async (from, to) =>
      snapshots.filter((one) => one.ts_exchange > from && one.ts_exchange <= to),
    async *diffs({ from_ts, from_id, to_ts }) {
      yield* ordered.filter(
        (diff) =>
          diff.ts_exchange >= from_ts &&
          diff.ts_exchange <= to_ts &&
          diff.final_update_id >= from_id,
      )
      yield* ordered.filter((diff) => diff.ts_exchange > to_ts).slice(0, 1)
    },
  }
}

const SNAPSHOT = snapshot(10, 100)
const CHAIN = [change(9, 90, 95, 89), change(11, 96, 105, 95), change(12, 106, 110, 105)]
/** After a gap that a snapshot repairs. */
const BROKEN = [...CHAIN, change(20, 140, 150, 139), change(21, 151, 160, 150)]
const REPAIRED = [SNAPSHOT, snapshot(20.5, 155)]
/** A spot snapshot has its arrival time, which is later than some changes that follow it. */
const SPOT = [change(9, 90, 99), change(9.5, 100, 104), change(9.9, 105, 108), change(11, 109, 112)]
/** Ids restart at 1 when an exchange restarts its books. */
const RESTARTED = [change(9, 890, 900), change(9.5, 901, 910), change(10.5, 2, 2), change(11, 3, 3)]

for (const [name, snapshots, diffs, second, expected] of [
  ['nothing was recorded before', [SNAPSHOT], CHAIN, 9.9, 'no_snapshot'],
  ['the snapshot alone', [SNAPSHOT], CHAIN, 10, [100]],
  ['a change that reaches back before the snapshot', [SNAPSHOT], CHAIN, 11, [105, 100]],
  ['between two changes that connect', [SNAPSHOT], CHAIN, 11.9, [105, 100]],
  ['after the last change', [SNAPSHOT], CHAIN, 3_000, [110, 105, 100]],
  ['after the last change before a gap', [SNAPSHOT], BROKEN, 12, 'gap since 12'],
  ['inside a gap', [SNAPSHOT], BROKEN, 15, 'gap since 12'],
  ['after a gap', [SNAPSHOT], BROKEN, 22, 'gap since 12'],
  ['after a gap, before the snapshot that repairs it', REPAIRED, BROKEN, 20.4, 'gap since 12'],
  ['at the snapshot that repairs it', REPAIRED, BROKEN, 20.5, [155]],
  ['after it', REPAIRED, BROKEN, 21, [160, 155]],
  ['a gap right after the snapshot', [SNAPSHOT], [change(11, 120, 130, 119)], 10.5, 'gap since 10'],
  [
    'spot changes that are older than the snapshot they follow',
    [SNAPSHOT],
    SPOT,
    10,
    [108, 104, 100],
  ],
  [
    'ids restart with a snapshot, shortly after the old ones',
    [snapshot(10, 1)],
    RESTARTED,
    11,
    [3, 2, 1],
  ],
  ['spot continues', [SNAPSHOT], SPOT, 11, [112, 108, 104, 100]],
  ['a crossed book', [SNAPSHOT], [change(11, 101, 1_000_001, 100)], 12, 'gap since 10'],
] as const) {
  test(`bookAt: ${name}`, async () => {
    const found = await bookAt(sourceOf(snapshots, diffs), at(second))
    const told =
      found.kind === 'book'
        ? found.book.bids.top(Infinity).map(([price]) => price)
        : found.kind === 'gap'
          ? `gap since ${(found.since - START) / SECOND_US}`
          : found.kind
    expect(told).toEqual(expected)
  })
}
