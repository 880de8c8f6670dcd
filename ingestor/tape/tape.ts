/**
 * A tape as its writer sees it: an append-only log of what was heard, in segment files of one
 * directory. `openTape` is in writer.ts; who reads it uses reader.ts.
 *
 * What a tape promises:
 * - A record that `append` took in an earlier turn of the event loop stands in the file: a kill of
 *   the process takes nothing of it. A power failure takes at most the last `fsync_ms`.
 * - Positions grow for ever and never mean two records.
 * - The files never take more than `max_bytes`. When they would, or when the disk refuses, the
 *   tape is full: frames are refused (the caller stops listening and fails its health check),
 *   marks still go into the reserve, and it opens again when space is free.
 * - A segment is deleted only `keep_s` after all of it was committed.
 */
import type { Logger } from '#core/node/log.ts'
import type { Micros } from '#core/time.ts'
import type { TapeFiles } from './files.ts'
import type { RecordKind } from './record.ts'
import type { Recovery } from './recovery.ts'

export interface TapeOptions {
  readonly dir: string
  /** Rigid limit on all files of the tape. */
  readonly max_bytes: number
  /** A segment is closed, and may be deleted, when it has grown to this. */
  readonly segment_bytes: number
  /** Longest payload; a longer one is refused as `too_large`. */
  readonly record_bytes_max: number
  /** A segment is kept this long after its last record was committed. */
  readonly keep_s: number
  /** The only window that a power failure can take. Default 500. */
  readonly fsync_ms?: number
  /** Records wait here until the end of the turn, or until it is full. Default 256 KiB. */
  readonly buffer_bytes?: number
  readonly log: Logger
  /** Called after each write with the new `end`, while openTape is at work too. */
  readonly onEnd?: (end: number) => void
  /** Called after the tape became full, and with undefined after it takes frames again. */
  readonly onFull?: (full: TapeFull | undefined) => void
  readonly now_us?: () => number
  readonly files?: TapeFiles
}

export interface TapeFull {
  /** budget: max_bytes is used up. Else the system's word: ENOSPC, EDQUOT, EIO ... */
  readonly cause: string
  readonly since_us: number
}

export interface TapeStatus {
  readonly tape_id: string
  /** Position of the oldest record that is kept. */
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

/** The record's position; or that it was not taken, and nothing of it is on the tape. */
export type AppendResult = number | 'full' | 'too_large'

export interface Tape {
  readonly tape_id: string
  /** What the last life of the tape left behind. A cut stands on the tape as a mark already. */
  readonly recovery: Pick<Recovery, 'clean' | 'cut'>
  /** Everything before it was written and can be read. */
  readonly end: number
  readonly full: TapeFull | undefined
  append(
    kind: RecordKind,
    exchange_code: number,
    connection: number,
    ts_ingest: Micros,
    payload: Uint8Array,
  ): AppendResult
  /** Writes what waits in the buffer now instead of at the end of the turn. */
  flush(): void
  /** Settles when everything appended so far survives a power failure. */
  sync(): Promise<void>
  /**
   * Deletes the segments whose records were all committed at least keep_s ago, as seen by this
   * and earlier calls. Returns the bytes that became free.
   */
  release(committed_position: number, now_ms: number): number
  status(): TapeStatus
  close(): Promise<void>
}
