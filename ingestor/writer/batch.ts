/** What one transaction takes in, as the batcher hands it on. */
import type { Gap, IndexPrice } from '#core/market.ts'
import type { Micros } from '#core/time.ts'
import type { RejectReason } from '../exchanges/adapter.ts'
import type { TapeRecord } from '../tape/record.ts'
import type { MutableCounts } from './counts.ts'
import type { OpenHoles, StreamBatch } from './stream-table.ts'
import type { ListedInstruments } from './symbol-ids.ts'

/**
 * Everything that one transaction takes in, still by symbol name. The rows lie in buffers of the
 * batcher: prepare the batch (prepare.ts) before the batcher takes the next record.
 */
export interface Batch {
  readonly from_position: number
  readonly to_position: number
  /** When the first record arrived; undefined where the batch holds only damage. */
  readonly oldest_ts_ingest: Micros | undefined
  /** The streams that are listened to were heard up to here, by our clock. */
  readonly covered_until: Micros | undefined
  readonly streams: readonly StreamBatch[]
  /** Index prices, which are no rows of a raw table. */
  readonly prices: readonly IndexPrice[]
  readonly gaps: readonly Gap[]
  readonly listings: readonly ListedInstruments[]
  /** As they are once the batch is committed. */
  readonly open_holes: OpenHoles
  /**
   * Rows, dead letters, gaps, and duplicates beyond those seen here, are added when it is committed.
   */
  readonly counts: MutableCounts
}

export interface RejectedFrame {
  readonly reason: RejectReason
  readonly detail: string
  readonly record: TapeRecord
}
