/** A DepthSource over a list of rows. */
import type { DepthSource } from '#core/book-at.ts'
import type { DepthRow } from '../../jobs/day/depth-reader.ts'

/** Sorted by (ts_exchange, final_update_id). */
export function sourceOf(rows: readonly DepthRow[]): DepthSource {
  const snapshots = rows.filter((row) => row.depth_kind === 'snapshot')
  const diffs = rows.filter((row) => row.depth_kind === 'diff')
  return {
    snapshotBefore: async (ts) => snapshots.findLast((one) => one.ts_exchange <= ts),
    snapshotsAfter: async (from, to) =>
      snapshots.filter((one) => one.ts_exchange > from && one.ts_exchange <= to),
    async *diffs({ from_ts, from_id, to_ts }) {
      yield* diffs.filter(
        (diff) =>
          diff.ts_exchange >= from_ts &&
          diff.ts_exchange <= to_ts &&
          diff.final_update_id >= from_id,
      )
      yield* diffs.filter((diff) => diff.ts_exchange > to_ts).slice(0, 1)
    },
  }
}
