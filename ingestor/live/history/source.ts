/**
 * One hour of a stream's rows, from Postgres or the archive, ordered by the time of receipt. Late
 * rows were received long after their hour, so each hour has its range of receipt times.
 */
import type { RawChannel } from '#core/tables.ts'
import type { Row } from '../rows.ts'

export interface HourSource {
  /** ts_ingest of its first and last row. */
  readonly first: number
  readonly last: number
  /**
   * About `limit` rows received in (after, to], ordered by ts_ingest and key. `is_whole` is false
   * if there are more; then all rows up to the last one's ts_ingest are there.
   */
  read(after: number, to: number, limit: number): Promise<HourRows>
}

export interface HourRows {
  readonly rows: readonly Row[]
  readonly is_whole: boolean
}

export interface Wanted {
  readonly channel: RawChannel
  readonly exchange: string
  readonly symbol: string
  readonly symbol_id: number
}

export const receivedAt = (row: Row): number => row['ts_ingest'] as number

/** Drops the rows of the last time of receipt, because they may be incomplete. */
export function wholeTimes(rows: readonly Row[]): readonly Row[] {
  const last = receivedAt(rows.at(-1)!)
  return rows.filter((row) => receivedAt(row) < last)
}
