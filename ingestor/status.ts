/** The status for /health and the parent process. Its only logic: the rules of state and lag. */
import { type Micros, SECOND_US } from '#core/time.ts'
import type { BookCounts } from './books/keeper.ts'
import type { Repairer } from './repair/repairer.ts'
import type { Tape } from './tape/tape.ts'
import { type PerTable, sumOf } from './writer/counts.ts'
import type { FollowerStatus } from './writer/progress.ts'
import type { LossReport } from './writer/stream-table.ts'

export type IngestorState =
  /** Frames are committed as they arrive. */
  | 'live'
  /** Postgres accepts rows, but the oldest pending frame is older than LIVE_LAG_MS_MAX. */
  | 'catching_up'
  /** Postgres is unreachable or accepts nothing. Frames still go onto the tape. */
  | 'database_away'
  /** The tape's disk budget is used up: it refuses frames until segments are freed. */
  | 'tape_full'
  /** The operator paused the recording: no socket is open. */
  | 'paused'

export interface IngestorStatus extends BookCounts {
  readonly state: IngestorState
  readonly frames_received: number
  readonly frames_per_s: number
  /** Byte position up to which the tape can be read. */
  readonly tape_end: number
  /** Everything on the tape before this position is in Postgres. */
  readonly committed_position: number
  readonly rows_committed: PerTable
  readonly duplicates: PerTable
  /** Events with another stored row under their key; both are in marketdata.conflicts. */
  readonly conflicts: PerTable
  readonly ignored: number
  readonly rejected: number
  readonly dead_letters: number
  /** Entries of the newest listing that cannot be recorded. The log gives the reasons. */
  readonly instruments_left_out: number
  /** New rows of the gap ledger since the start. */
  readonly gaps: number
  /** Gaps of our symbols from the last 24 hours that are still open; then those that are closed. */
  readonly gaps_open: number
  readonly gaps_repaired: number
  /** Gaps that have not ended: streams that are lost now. */
  readonly lost_streams: number
  /** Some of them, oldest first, for people: "BTCUSDT trades (disconnect)". */
  readonly lost_stream_names: readonly string[]
  /** Time since the oldest was noticed; 0 if there is none. */
  readonly oldest_lost_stream_s: number
  /** Longest wait of a frame for its commit in the last second, including pending frames. */
  readonly lag_ms: number
}

/** How long frames may wait before the state is catching_up. */
export const LIVE_LAG_MS_MAX = 2_000

export function ingestorState(facts: {
  readonly tape_full: boolean
  readonly database_away: boolean
  readonly is_paused: boolean
  readonly lag_ms: number
}): IngestorState {
  if (facts.tape_full) return 'tape_full'
  if (facts.database_away) return 'database_away'
  if (facts.is_paused) return 'paused'
  return facts.lag_ms > LIVE_LAG_MS_MAX ? 'catching_up' : 'live'
}

/** True if an operator should look. /health then answers 503. */
export function isFailing(state: IngestorState): boolean {
  return state === 'tape_full' || state === 'database_away'
}

export function ingestorStatus(parts: {
  readonly tape: Pick<Tape, 'full' | 'end'>
  readonly writer: FollowerStatus
  readonly books: BookCounts
  readonly frames_received: number
  readonly frames_per_s: number
  readonly instruments_left_out: number
  readonly is_paused: boolean
  readonly repairs: ReturnType<Repairer['counts']> | undefined
  readonly now: Micros
}): IngestorStatus {
  const { tape, writer, books, frames_received, frames_per_s, instruments_left_out, repairs } =
    parts
  const { counts, committed_position, database_away, lost_streams } = writer
  const has_backlog = committed_position < tape.end
  // If Postgres is away and nothing has arrived since, nothing is pending.
  const lag_ms = has_backlog || !database_away ? writer.lag_ms : 0
  return {
    state: ingestorState({
      tape_full: tape.full !== undefined,
      database_away,
      is_paused: parts.is_paused,
      lag_ms,
    }),
    frames_received,
    frames_per_s,
    tape_end: tape.end,
    committed_position,
    ...books,
    rows_committed: counts.rows,
    duplicates: counts.duplicates,
    conflicts: counts.conflicts,
    ignored: sumOf(counts.ignored),
    rejected: sumOf(counts.rejected) + sumOf(counts.rejected_elements),
    dead_letters: counts.dead_letters,
    instruments_left_out,
    gaps: counts.gaps,
    gaps_open: repairs?.gaps_open ?? 0,
    gaps_repaired: repairs?.gaps_repaired ?? 0,
    ...lostStreamsStatus(lost_streams, parts.now),
    lag_ms,
  }
}

export function lostStreamsStatus(
  { count, names, oldest_at }: LossReport,
  now: Micros,
): Pick<IngestorStatus, 'lost_streams' | 'lost_stream_names' | 'oldest_lost_stream_s'> {
  return {
    lost_streams: count,
    lost_stream_names: names,
    oldest_lost_stream_s:
      oldest_at === null ? 0 : Math.max(0, Math.round((now - oldest_at) / SECOND_US)),
  }
}
