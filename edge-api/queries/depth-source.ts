/** Reads the recorded depth of one instrument for core's bookAt, page by page. */
import type { DepthSource } from '#core/book-at.ts'
import type { DepthChange } from '#core/book-sync.ts'
import { OperatorError } from '#core/errors.ts'
import { HOUR_US, hourStart, type Micros, micros, toIso } from '#core/time.ts'
import { depthChangeOf, type DepthRow } from '../tables/depth-change.ts'
import type { Database } from './database.ts'

const COLUMNS = 'ts_exchange, final_update_id, first_update_id, prev_final_update_id, bids, asks'

const SNAPSHOT = `
select ${COLUMNS}
from marketdata.depth_events
where symbol_id = $1 and depth_kind = 'snapshot'
  and ts_exchange > $2::timestamptz and ts_exchange <= $3::timestamptz
order by ts_exchange desc, final_update_id desc
limit 1`

const LATER_SNAPSHOTS = `
select ${COLUMNS}
from marketdata.depth_events
where symbol_id = $1 and depth_kind = 'snapshot'
  and ts_exchange > $2::timestamptz and ts_exchange <= $3::timestamptz`

/** Diffs after (ts_exchange, final_update_id), up to $5. */
const DIFFS = `
select ${COLUMNS}
from marketdata.depth_events
where symbol_id = $1 and depth_kind = 'diff' and final_update_id >= $4::bigint
  and ts_exchange >= $2::timestamptz and ts_exchange <= $5::timestamptz
  and (ts_exchange, final_update_id) > ($2::timestamptz, $3::bigint)
order by ts_exchange, final_update_id
limit $6::int`

const NEXT_DIFF = `
select ${COLUMNS}
from marketdata.depth_events
where symbol_id = $1 and depth_kind = 'diff'
  and ts_exchange > $2::timestamptz and ts_exchange <= $3::timestamptz
order by ts_exchange, final_update_id
limit 1`

/** Time of the nearest row, found by searching one partition after another. */
const NEAREST = `
select marketdata.nearest_ts('depth_events', $1, $2::timestamptz, $3::timestamptz, $4::boolean, $5)
  as ts_exchange`

const PAGE_ROWS = 500
/** About half an hour of a usual stream. Snapshots are recorded every few minutes. */
const DIFFS_MAX = 20_000

/** Hours per statement: a statement locks every partition that it may read. */
const SPAN_HOURS = 8

/** The last microsecond that a statement which starts at `ts` reads. */
function spanEnd(ts: Micros): Micros {
  return micros(hourStart(ts) + SPAN_HOURS * HOUR_US - 1)
}

/** `diffs` throws OperatorError `book_too_far` if there are too many. */
export function depthSource(db: Database, symbol_id: number): DepthSource {
  /** Rows in (from, to]. */
  const within = async (sql: string, from: Micros, to: Micros): Promise<readonly DepthChange[]> =>
    (await db.query<DepthRow>(sql, [symbol_id, toIso(from), toIso(to)])).map(depthChangeOf)
  const at = (sql: string, ts: Micros): Promise<readonly DepthChange[]> =>
    within(sql, micros(ts - 1), ts)
  const nearestTs = async (
    from: string,
    to: string,
    is_newest: boolean,
    depth_kind: 'snapshot' | 'diff',
  ): Promise<Micros | null> => {
    const parameters = [symbol_id, from, to, is_newest, depth_kind]
    const [row] = await db.query<{ readonly ts_exchange: Micros | null }>(NEAREST, parameters)
    return row?.ts_exchange ?? null
  }
  return {
    async snapshotBefore(ts) {
      const [snapshot] = await within(SNAPSHOT, micros(ts - HOUR_US), ts)
      if (snapshot !== undefined) return snapshot
      const nearest = await nearestTs('-infinity', toIso(ts), true, 'snapshot')
      return nearest === null ? undefined : (await at(SNAPSHOT, nearest))[0]
    },
    async snapshotsAfter(from, to) {
      const snapshots: DepthChange[] = []
      for (let at_ts = from; at_ts < to;) {
        const end = micros(Math.min(to, spanEnd(at_ts)))
        snapshots.push(...(await within(LATER_SNAPSHOTS, at_ts, end)))
        at_ts = end
      }
      return snapshots
    },
    async *diffs({ from_ts, from_id, to_ts }) {
      let after: { readonly ts: Micros; readonly id: number } = { ts: from_ts, id: -1 }
      for (let count = 0; ;) {
        if (count >= DIFFS_MAX) throw tooFar()
        const end = micros(Math.min(to_ts, spanEnd(after.ts)))
        const rows = await db.query<DepthRow>(DIFFS, [
          symbol_id,
          toIso(after.ts),
          after.id,
          from_id,
          toIso(end),
          PAGE_ROWS,
        ])
        count += rows.length
        let last: DepthChange | undefined
        for (const row of rows) yield (last = depthChangeOf(row))
        if (last !== undefined && rows.length === PAGE_ROWS) {
          after = { ts: last.ts_exchange, id: last.final_update_id }
        } else if (end < to_ts) after = { ts: micros(end + 1), id: -1 }
        else break
      }
      const hour_end = micros(to_ts + HOUR_US)
      const next = await within(NEXT_DIFF, to_ts, hour_end)
      yield* next
      if (next.length > 0) return
      const nearest = await nearestTs(toIso(hour_end), 'infinity', false, 'diff')
      if (nearest !== null) yield* await at(NEXT_DIFF, nearest)
    },
  }
}

function tooFar(): OperatorError {
  return new OperatorError(
    'book_too_far',
    `There are more than ${DIFFS_MAX} updates between the last snapshot and the requested time.`,
    { hint: 'Request a time soon after a snapshot. DEPTH_SNAPSHOT_S is their interval.' },
  )
}
