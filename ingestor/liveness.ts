/**
 * Answers the service manager's watchdog. The answer itself proves that the event loop turns. This
 * file checks the writer's thread: it must report, and commit the tape unless Postgres is down.
 */
export interface VitalSigns {
  /** When the writer's thread last sent its status, by `now`. */
  readonly writer_heard_ms: number
  readonly database_away: boolean
  readonly committed_position: number
  readonly tape_end: number
}

/** The thread reports five times a second; a busy machine delays that by seconds. */
export const WRITER_SILENT_MS_MAX = 30_000
/** Each statement of the writer has a far shorter limit, after which Postgres counts as away. */
export const STUCK_MS_MAX = 180_000

/** `now`: milliseconds of a clock that never goes back. */
export function createLiveness(signs: () => VitalSigns, now: () => number): () => boolean {
  let position = -1
  let moved_ms = now()
  return () => {
    const { writer_heard_ms, database_away, committed_position, tape_end } = signs()
    const now_ms = now()
    if (committed_position !== position || database_away || committed_position >= tape_end) {
      position = committed_position
      moved_ms = now_ms
    }
    return now_ms - writer_heard_ms <= WRITER_SILENT_MS_MAX && now_ms - moved_ms <= STUCK_MS_MAX
  }
}
