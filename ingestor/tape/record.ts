/** What stands on a tape: one record a frame, a REST answer or a mark. */
import type { Channel, GapCause } from '#core/market.ts'
import type { Micros } from '#core/time.ts'

export const RECORD_KINDS = ['frame', 'rest', 'mark'] as const
export type RecordKind = (typeof RECORD_KINDS)[number]

export interface TapeRecord {
  /** Byte position of the record on the tape, counted over all segments ever written. */
  readonly position: number
  /** Position of the record after this one: what is committed once this record's rows are. */
  readonly next: number
  readonly kind: RecordKind
  /** ExchangeAdapter.tape_code. */
  readonly exchange_code: number
  /** Number of the socket that brought it, unique within the life of a tape; 0 for REST answers. */
  readonly connection: number
  readonly ts_ingest: Micros
  /**
   * frame: the frame's bytes as received. rest: the path, a line feed, the body.
   * mark: a Mark as JSON.
   */
  readonly payload: Buffer
}

/** Facts about our own ears, on the tape because gaps are derived from it. */
export type Mark =
  /** The ingestor began to listen: what came before on the streams it carries on is a hole. */
  | { readonly kind: 'started'; readonly streams: readonly StreamName[] }
  /** These streams are not heard by any socket from now on, until their next frame. */
  | { readonly kind: 'deaf'; readonly cause: GapCause; readonly streams: readonly StreamName[] }
  /** Recovery cut `bytes` off the tape at `position`. */
  | { readonly kind: 'cut'; readonly position: number; readonly bytes: number }

export interface StreamName {
  readonly symbol: string
  readonly channel: Channel
}
