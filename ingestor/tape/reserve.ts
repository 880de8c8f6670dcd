/**
 * Disk space reserved for a full disk: a file that is deleted so that records already taken, and
 * the marks of the gap, can still be written.
 */
import { randomFillSync } from 'node:crypto'
import { join } from 'node:path'
import { errorCode, type TapeFiles } from './files.ts'
import { writeWhole } from './segment-file.ts'

const CHUNK_BYTES = 64 * 1024

export interface Reserve {
  /**
   * False if the disk has no room for the reserve twice over. With less, a tape that resumed would
   * be full again at once.
   */
  fill(): boolean
  /** Frees the space. */
  spend(): void
}

export function openReserve(dir: string, reserve_bytes: number, files: TapeFiles): Reserve {
  const path = join(dir, 'reserve')
  // Random, so a compressing file system really allocates the file's length.
  const chunk = randomFillSync(Buffer.alloc(Math.min(CHUNK_BYTES, reserve_bytes)))
  const spend = (): void => {
    try {
      files.unlink(path)
    } catch (cause) {
      if (errorCode(cause) !== 'ENOENT') throw cause
    }
  }
  return {
    spend,
    fill() {
      spend()
      let fd: number | undefined
      try {
        fd = files.create(path)
        for (let at = 0; at < 2 * reserve_bytes; at += chunk.length) {
          writeWhole(files, fd, chunk, Math.min(chunk.length, 2 * reserve_bytes - at), at)
        }
        files.truncate(fd, reserve_bytes)
        return true
      } catch {
        spend()
        return false
      } finally {
        if (fd !== undefined) files.close(fd)
      }
    },
  }
}
