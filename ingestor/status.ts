/** What the ingestor tells its parent and /health once a second. No logic but the state's rule. */
import type { BookCounts } from './books/keeper.ts'
import type { PerTable } from './writer/counts.ts'

export type IngestorState =
  /** Frames are committed as they come. */
  | 'live'
  /** Postgres takes rows, but the oldest frame that waits is older than it should be. */
  | 'catching_up'
  /** Postgres is not reachable or takes nothing; frames go on to the tape. */
  | 'database_away'
  /** The tape's disk budget is used up: no frame is taken until segments are freed. */
  | 'tape_full'

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
  readonly ignored: number
  readonly rejected: number
  readonly dead_letters: number
  /** New rows of the gap ledger since the start. */
  readonly gaps: number
  /** Holes of our symbols that were detected in the last 24 hours, and how many of them are closed. */
  readonly gaps_open: number
  readonly gaps_repaired: number
  /** Longest wait of a frame for its commit in the last second, of those that still wait too. */
  readonly lag_ms: number
}

/** How long frames may wait before we call it catching up. */
export const LIVE_LAG_MS_MAX = 2_000

export function ingestorState(facts: {
  readonly tape_full: boolean
  readonly database_away: boolean
  readonly lag_ms: number
}): IngestorState {
  if (facts.tape_full) return 'tape_full'
  if (facts.database_away) return 'database_away'
  return facts.lag_ms > LIVE_LAG_MS_MAX ? 'catching_up' : 'live'
}

/** True where an operator should look: what /health turns into 503. */
export function isFailing(state: IngestorState): boolean {
  return state === 'tape_full' || state === 'database_away'
}

