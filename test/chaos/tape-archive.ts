/**
 * Keeps a hard link to every segment that the tape ever had. Segments that the ingestor deletes
 * stay; what it appends or truncates is visible here too. So the checker can read everything that
 * was received, even if the tape itself is small.
 */
import { linkSync, mkdirSync } from 'node:fs'
import { basename, join } from 'node:path'
import { openReader } from '../../ingestor/tape/reader.ts'
import { listSegmentNames } from '../../ingestor/tape/segments.ts'

/** Shorter than the minimum lifetime of a segment, TAPE_KEEP_S. */
const LOOK_MS = 100

export class TapeArchive {
  readonly #tape_dir: string
  readonly #dir: string
  readonly #timer: NodeJS.Timeout

  /** Both directories must be on the same file system. */
  constructor(tape_dir: string, dir: string) {
    mkdirSync(dir, { recursive: true })
    this.#tape_dir = tape_dir
    this.#dir = dir
    this.#timer = setInterval(() => this.#look(), LOOK_MS)
  }

  close(): void {
    clearInterval(this.#timer)
    this.#look()
  }

  /** Frames of the tape, oldest first. */
  *frames(): Generator<Buffer> {
    const reader = openReader(this.#dir, 'oldest')
    try {
      for (;;) {
        const { records, damage } = reader.readBatch()
        if (records.length === 0 && damage === undefined) return
        for (const record of records) if (record.kind === 'frame') yield record.payload
      }
    } finally {
      reader.close()
    }
  }

  #look(): void {
    for (const { path } of listSegmentNames(this.#tape_dir)) {
      try {
        linkSync(path, join(this.#dir, basename(path)))
      } catch (error) {
        const { code } = error as NodeJS.ErrnoException
        if (code !== 'EEXIST' && code !== 'ENOENT') throw error
      }
    }
  }
}
