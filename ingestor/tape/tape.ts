/**
 * The writer's interface to a tape: an append-only log of everything received, in segment files of
 * one directory. `openTape` is in writer.ts; readers use reader.ts.
 *
 * What a tape guarantees:
 * - Every record is in the file before the event loop turns again, so killing the process loses
 *   nothing. A power failure loses at most the last `fsync_ms`.
 * - Positions only grow and are never used for two records.
 * - The files never take more than `max_bytes`. At that limit, or when the disk refuses a write,
 *   the tape is full: it refuses frames (the caller disconnects and fails its health check), marks
 *   still go into the reserve, and it resumes when space is free.
 * - A segment is deleted only `keep_s` after all of it was committed.
 */
import type { Logger } from '#core/node/log.ts'
import type { Micros } from '#core/time.ts'
import type { TapeFiles } from './files.ts'
import type { RecordKind } from './record.ts'
import type { Recovery } from './recovery.ts'

export interface TapeOptions {
  readonly dir: string
  /** Hard limit on the total size of the tape's files. */
  readonly max_bytes: number
  /** Size at which a segment is closed. Only closed segments can be deleted. */
  readonly segment_bytes: number
  /** Longest payload. A longer one is refused as `too_large`. */
  readonly record_bytes_max: number
  /** A segment is kept this long after its last record was committed. */
  readonly keep_s: number
  /** How much a power failure can lose at most. Default 500. */
  readonly fsync_ms?: number
  /** Buffer for records until the end of the turn, or until it is full. Default 256 KiB. */
  readonly buffer_bytes?: number
  readonly log: Logger
  /** Called after each write with the new `end`, also during openTape. */
  readonly onEnd?: (end: number) => void
  /** Called once the tape is full, and with undefined once it accepts frames again. */
  readonly onFull?: (full: TapeFull | undefined) => void
  readonly now_us?: () => number
  readonly files?: TapeFiles
}

export interface TapeFull {
  /** `budget`: max_bytes is used up. Otherwise the system's error code: ENOSPC, EDQUOT, EIO ... */
  readonly cause: string
  readonly since_us: number
}

export interface TapeStatus {
  readonly tape_id: string
  /** Position of the oldest record on disk. */
  readonly oldest: number
  /** Everything before it can be read. */
  readonly end: number
  /** Everything before it survives a power failure. */
  readonly synced: number
  readonly segment_count: number
  readonly used_bytes: number
  readonly max_bytes: number
  readonly full: TapeFull | undefined
}

/** The record's position, or why it was refused. A refused record leaves nothing on the tape. */
export type AppendResult = number | 'full' | 'too_large'

export interface Tape {
  readonly tape_id: string
  /** What the previous writer left behind. A cut is already on the tape as a mark. */
  readonly recovery: Pick<Recovery, 'clean' | 'cut'>
  /** Everything before this position was written and can be read. */
  readonly end: number
  readonly full: TapeFull | undefined
  append(
    kind: RecordKind,
    exchange_code: number,
    connection: number,
    ts_ingest: Micros,
    payload: Uint8Array,
  ): AppendResult
  /** Writes the buffer now instead of at the end of the turn. */
  flush(): void
  /** Resolves once everything appended before the call survives a power failure. */
  sync(): Promise<void>
  /**
   * Deletes the segments whose records were all committed at least keep_s ago, judged by this and
   * earlier calls. Returns the number of bytes freed.
   */
  release(committed_position: number, now_ms: number): number
  status(): TapeStatus
  close(): Promise<void>
}
