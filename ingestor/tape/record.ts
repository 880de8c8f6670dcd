/** The records of a tape: frames, REST answers and marks. */
import type { Channel, GapCause } from '#core/market.ts'
import type { Micros } from '#core/time.ts'

export const RECORD_KINDS = ['frame', 'rest', 'mark'] as const
export type RecordKind = (typeof RECORD_KINDS)[number]

export interface TapeRecord {
  /** Byte position of the record on the tape, counted over all segments ever written. */
  readonly position: number
  /** Position after this record. Committing the record's rows commits this position. */
  readonly next: number
  readonly kind: RecordKind
  /** ExchangeAdapter.tape_code. */
  readonly exchange_code: number
  /** Number of the socket that delivered it, unique on a tape; 0 for REST answers. */
  readonly connection: number
  readonly ts_ingest: Micros
  /**
   * frame: the frame's bytes as received. rest: the path, a line feed, the body.
   * mark: a Mark as JSON.
   */
  readonly payload: Buffer
}

/**
 * Facts about the ingestor. They are on the tape because gaps are derived from the tape alone.
 * Unknown marks are skipped. The kinds are part of the format: 'deaf' means lost, 'heard' means
 * covered again.
 */
export type Mark =
  /**
   * The ingestor subscribed to its streams. Streams that it resumes have a gap up to here. With
   * `is_whole` the list is complete, and every other stream that it recorded has ended: by the
   * operator's choice if the symbol is among `listed`, otherwise because it is not listed. Older
   * builds wrote no `listed`.
   */
  | {
      readonly kind: 'started'
      readonly is_whole?: boolean
      readonly listed?: readonly string[]
      readonly streams: readonly SymbolChannel[]
    }
  /**
   * No socket covers these streams until their next frame. `heard_until`: when the socket that
   * carried them last delivered anything. `carried_by`: the socket that carries them now; it may
   * have been subscribed after the last one was lost.
   */
  | {
      readonly kind: 'deaf'
      readonly cause: GapCause
      readonly heard_until?: Micros | undefined
      readonly carried_by?: number | undefined
      readonly streams: readonly SymbolChannel[]
    }
  /** Only this socket carries these streams now. It was subscribed before the others closed. */
  | {
      readonly kind: 'carried'
      readonly connection: number
      readonly streams: readonly SymbolChannel[]
    }
  /**
   * Streams that may be quiet for days are subscribed again, on this socket, so their silence means
   * no events. Older builds did not write the socket.
   */
  | {
      readonly kind: 'heard'
      readonly connection?: number
      readonly streams: readonly SymbolChannel[]
    }
  /**
   * For quiet trade streams that are subscribed again: the newest trade of the exchange's history,
   * requested since. Null if the stream never had an event and has no trade.
   */
  | {
      readonly kind: 'newest'
      readonly newest_id: number | null
      /** Time of that trade. */
      readonly ts_exchange: Micros
      readonly streams: readonly SymbolChannel[]
    }
  /** The ingestor no longer records these streams. Without a cause: their symbol is not listed. */
  | {
      readonly kind: 'ended'
      readonly cause?: 'operator' | undefined
      readonly streams: readonly SymbolChannel[]
    }
  /** Nothing arrived for a while, and the ingestor is running. */
  | { readonly kind: 'alive' }
  /** Recovery cut `bytes` off the tape at `position`. */
  | { readonly kind: 'cut'; readonly position: number; readonly bytes: number }

export interface SymbolChannel {
  readonly symbol: string
  readonly channel: Channel
}

/** The unique names: diffs and partial books are two streams with one name. */
export function namesOf(streams: readonly SymbolChannel[]): readonly SymbolChannel[] {
  const names = streams.map(({ symbol, channel }) => ({ symbol, channel }))
  return [...new Map(names.map((name) => [`${name.channel} ${name.symbol}`, name])).values()]
}
