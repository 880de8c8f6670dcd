/**
 * All segments of a tape, for its writer: the growing one, the kept ones, their sizes, fsync and
 * deletion. writer.ts does buffering and handles a full tape.
 */
import { truncateSync } from 'node:fs'
import { errorCode, type TapeFiles } from './files.ts'
import { SEGMENT_HEADER_BYTES } from './format.ts'
import type { Recovery } from './recovery.ts'
import { SegmentFile } from './segment-file.ts'
import { fileEnd } from './segments.ts'

interface KeptSegment {
  readonly path: string
  readonly first: number
  readonly end: number
  readonly file_bytes: number
  committed_since_ms: number | undefined
}

export interface ChainOptions {
  readonly dir: string
  readonly record_bytes_max: number
  readonly files: TapeFiles
  readonly now_us: () => number
  /** An fsync failed: it is unknown how much of the segment is on disk. */
  readonly onSyncError: (error: unknown) => void
}

export class SegmentChain {
  readonly tape_id: string
  active: SegmentFile
  readonly #options: ChainOptions
  /** Oldest first. */
  readonly #kept: KeptSegment[]
  #kept_bytes: number
  /** Size of the whole part of the last segment that recovery found. */
  readonly #tail_bytes: number
  /** Finished segments in their last fsync. */
  readonly #sealing = new Map<SegmentFile, Promise<void>>()

  /** Begins a new segment, or throws the file system's error. */
  constructor(options: ChainOptions, recovery: Recovery) {
    this.tape_id = recovery.tape_id
    this.#options = options
    this.#kept = recovery.segments.map((segment) => ({
      path: segment.path,
      first: segment.first,
      end: fileEnd(segment),
      file_bytes: segment.file_bytes,
      committed_since_ms: undefined,
    }))
    this.#kept_bytes = this.#kept.reduce((sum, { file_bytes }) => sum + file_bytes, 0)
    this.#tail_bytes = recovery.last_file_bytes
    // After a clean end the new segment may have the name of an empty last one.
    if (recovery.clean) this.cutTail()
    this.active = this.#begin(recovery.first, recovery.previous_end)
  }

  get used_bytes(): number {
    return this.#kept_bytes + this.active.file_bytes
  }

  get oldest(): number {
    return this.#kept[0]?.first ?? this.active.first
  }

  get synced(): number {
    const [oldest] = this.#sealing.keys()
    return oldest?.synced ?? this.active.synced
  }

  get segment_count(): number {
    return this.#kept.length + 1
  }

  /**
   * Cuts off the torn tail that recovery found. After an unclean end this happens after the mark of
   * the cut is written. Otherwise a crash in between would leave no trace of the cut.
   */
  cutTail(): void {
    const last = this.#kept.at(-1)
    const file_bytes = this.#tail_bytes
    if (last === undefined || (file_bytes > 0 && file_bytes === last.file_bytes)) return
    this.#kept.pop()
    this.#kept_bytes += file_bytes - last.file_bytes
    if (file_bytes === 0) {
      removeFile(this.#options.files, last.path)
    } else {
      truncateSync(last.path, file_bytes)
      this.#kept.push({ ...last, file_bytes, end: last.first + file_bytes - SEGMENT_HEADER_BYTES })
    }
  }

  /** Begins the next segment. If it throws the file system's error, the old one stays active. */
  roll(): void {
    const old = this.active
    this.active = this.#begin(old.end, old.end)
    this.#kept.push({
      path: old.path,
      first: old.first,
      end: old.end,
      file_bytes: old.file_bytes,
      committed_since_ms: undefined,
    })
    this.#kept_bytes += old.file_bytes
    const sealed = old
      .seal()
      .catch(this.#options.onSyncError)
      .finally(() => this.#sealing.delete(old))
    this.#sealing.set(old, sealed)
  }

  /** Resolves once everything written before is on disk, or onSyncError was called. */
  async sync(): Promise<void> {
    try {
      await Promise.all([this.active.sync(), ...this.#sealing.values()])
    } catch (error) {
      this.#options.onSyncError(error)
    }
  }

  /** See Tape.release. */
  release(committed_position: number, now_ms: number, keep_ms: number): number {
    for (const segment of this.#kept) {
      if (segment.end <= committed_position) segment.committed_since_ms ??= now_ms
    }
    let freed_bytes = 0
    for (;;) {
      const since_ms = this.#kept[0]?.committed_since_ms
      if (since_ms === undefined || now_ms - since_ms < keep_ms) return freed_bytes
      const { path, file_bytes } = this.#kept[0]!
      removeFile(this.#options.files, path)
      this.#kept.shift()
      this.#kept_bytes -= file_bytes
      freed_bytes += file_bytes
    }
  }

  async close(): Promise<void> {
    await Promise.all(this.#sealing.values())
    await this.active.seal().catch(this.#options.onSyncError)
  }

  #begin(first: number, previous_end: number): SegmentFile {
    const { dir, record_bytes_max, files, now_us } = this.#options
    const { tape_id } = this
    const header = { tape_id, first, previous_end, created_us: now_us(), record_bytes_max }
    const segment = new SegmentFile(dir, header, files)
    files.syncDirectory(dir).catch(this.#options.onSyncError)
    return segment
  }
}

/** It is fine if someone already deleted the file by hand. */
function removeFile(files: TapeFiles, path: string): void {
  try {
    files.unlink(path)
  } catch (cause) {
    if (errorCode(cause) !== 'ENOENT') throw cause
  }
}
