/**
 * Disk space put by for the moment when there is no more: a file that is deleted so that what was
 * already taken, and the marks that tell of the hole, can still be written.
 */
import { randomFillSync } from 'node:crypto'
import { join } from 'node:path'
import { errorCode, type TapeFiles } from './files.ts'
import { writeWhole } from './segment-file.ts'

const CHUNK_BYTES = 64 * 1024

export interface Reserve {
  /**
   * False where the disk has no room for it twice over: a tape that took frames again with the
   * last free block would be full again a moment later.
   */
  fill(): boolean
  /** Gives the space back to the disk. */
  spend(): void
}

export function openReserve(dir: string, reserve_bytes: number, files: TapeFiles): Reserve {
  const path = join(dir, 'reserve')
  // Random, so that a compressing file system keeps as much space as the file is long.
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
