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

/** Facts about ourselves, on the tape because gaps are derived from it. Unknown ones are skipped. */
export type Mark =
  /**
   * The ingestor began to listen: what came before on the streams it carries on is a hole. With
   * `is_whole` these are all its streams, and what it recorded beside them has ended: by the
   * operator's choice where the symbol is among `listed`, otherwise because it is not listed. Older
   * builds named no symbols there.
   */
  | {
      readonly kind: 'started'
      readonly is_whole?: boolean
      readonly listed?: readonly string[]
      readonly streams: readonly StreamName[]
    }
  /**
   * These streams are not heard by any socket from now on, until their next frame. `heard_until`:
   * when the socket that carried them last delivered anything. `carried_by`: the socket that
   * listens to them now, and perhaps not since before the last one was lost.
   */
  | {
      readonly kind: 'deaf'
      readonly cause: GapCause
      readonly heard_until?: Micros | undefined
      readonly carried_by?: number | undefined
      readonly streams: readonly StreamName[]
    }
  /** This socket alone carries these streams from now on, and listened before any other went. */
  | { readonly kind: 'carried'; readonly connection: number; readonly streams: readonly StreamName[] }
  /**
   * Streams that may be quiet for days are listened to again, by this socket: that is all there is
   * to hear. Older builds did not say which socket.
   */
  | { readonly kind: 'heard'; readonly connection?: number; readonly streams: readonly StreamName[] }
  /**
   * Of trade streams that are listened to again and stay quiet: what the exchange's own history, asked
   * since, ends with. Null where the stream never spoke, and has no trade.
   */
  | {
      readonly kind: 'newest'
      readonly newest_id: number | null
      /** Of that trade. */
      readonly ts_exchange: Micros
      readonly streams: readonly StreamName[]
    }
  /** We no longer record these streams. Absent cause: their symbol is no longer listed. */
  | {
      readonly kind: 'ended'
      readonly cause?: 'operator' | undefined
      readonly streams: readonly StreamName[]
    }
  /** Nothing came for a while, and we are there. */
  | { readonly kind: 'alive' }
  /** Recovery cut `bytes` off the tape at `position`. */
  | { readonly kind: 'cut'; readonly position: number; readonly bytes: number }

export interface StreamName {
  readonly symbol: string
  readonly channel: Channel
}

/** Each once: changes of a book and partial books are two streams of one name. */
export function namesOf(streams: readonly StreamName[]): readonly StreamName[] {
  const names = streams.map(({ symbol, channel }) => ({ symbol, channel }))
  return [...new Map(names.map((name) => [`${name.channel} ${name.symbol}`, name])).values()]
}
