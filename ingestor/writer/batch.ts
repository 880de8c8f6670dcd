/** What the batcher passes on for one transaction. */
import type { Gap, IndexPrice } from '#core/market.ts'
import type { Micros } from '#core/time.ts'
import type { RejectReason } from '../exchanges/adapter.ts'
import type { TapeRecord } from '../tape/record.ts'
import type { MutableCounts } from './counts.ts'
import type { LossReport, StreamBatch } from './stream-table.ts'
import type { ListedInstruments } from './symbol-ids.ts'

/**
 * Everything that one transaction writes, still by symbol name. The rows are in buffers that the
 * batcher owns: prepare the batch (prepare.ts) before the batcher takes the next record.
 */
export interface Batch {
  readonly from_position: number
  readonly to_position: number
  /** When the first record arrived; undefined if the batch covers only unreadable tape. */
  readonly oldest_ts_ingest: Micros | undefined
  /** The subscribed streams are covered up to this time, by our clock. */
  readonly covered_until: Micros | undefined
  readonly streams: readonly StreamBatch[]
  /** Index prices, which have no raw table. */
  readonly prices: readonly IndexPrice[]
  readonly gaps: readonly Gap[]
  readonly listings: readonly ListedInstruments[]
  /** The state once the batch is committed. */
  readonly lost_streams: LossReport
  /** The commit adds rows, dead letters, gaps, and the duplicates that it finds in the tables. */
  readonly counts: MutableCounts
}

export interface RejectedFrame {
  readonly reason: RejectReason
  readonly detail: string
  readonly record: TapeRecord
}
