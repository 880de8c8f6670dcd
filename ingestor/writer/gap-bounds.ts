/**
 * Where the gap of a stream begins and ends. event-taker.ts adds the stream, which makes it a Gap.
 */
import type { GapCause } from '#core/market.ts'
import { type Micros, micros, SECOND_US } from '#core/time.ts'
import {
  type Ahead,
  joinAhead,
  later,
  type SequencedEvent,
  type StreamState,
  UNHEARD,
} from './sequence-state.ts'

/** A Gap without its stream. */
export interface GapBounds {
  readonly from_ts: Micros
  readonly to_ts: Micros
  /** Null if the stream had no event before. */
  readonly from_id: number | null
  readonly to_id: number
  readonly cause: GapCause
  readonly detected_at: Micros
}

/** An event may be lost although its socket delivered frames for this long after it was sent. */
export const HEARD_MARGIN_US = 60 * SECOND_US

export const NO_GAPS: readonly GapBounds[] = []

export function gapUntil(
  state: StreamState,
  event: Pick<SequencedEvent, 'id' | 'ts_exchange' | 'ts_ingest'>,
  cause: GapCause,
): GapBounds {
  const lost_ts = state.loss?.lost_ts ?? state.ts_exchange
  // An event from before `lost_ts` shows that older events may be missing too.
  const from_ts = event.ts_exchange < lost_ts ? state.ts_exchange : lost_ts
  return {
    from_ts,
    // Event times of one stream may go back a little. A gap never ends before it begins.
    to_ts: later(from_ts, event.ts_exchange),
    from_id: state.last_id === UNHEARD ? null : state.last_id,
    to_id: event.id,
    cause,
    detected_at: event.ts_ingest,
  }
}

export function heardUntil(state: StreamState, heard_until: Micros | undefined): Micros {
  if (heard_until === undefined) return state.ts_exchange
  const quiet_us = Math.max(0, heard_until - state.ts_ingest - HEARD_MARGIN_US)
  return micros(state.ts_exchange + quiet_us)
}

/** Reports the gap before `ahead`, which nothing will fill. */
export function closeAhead(state: StreamState, ahead: Ahead): GapBounds {
  const first = { id: ahead.first_id, ts_exchange: ahead.first_ts, ts_ingest: ahead.seen_at }
  const gap = gapUntil(state, first, ahead.first_follows === undefined ? 'disconnect' : 'sequence')
  joinAhead(state, ahead)
  return gap
}
