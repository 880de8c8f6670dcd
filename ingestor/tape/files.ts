/** The file operations of the tape's writer, as an interface so tests can simulate a full disk. */
import {
  closeSync,
  fdatasync,
  fsync,
  ftruncateSync,
  openSync,
  unlinkSync,
  writeSync,
} from 'node:fs'

export interface TapeFiles {
  /** Creates a file and opens it for writing; fails if it exists. */
  create(path: string): number
  /** May write less than `length`. */
  write(fd: number, bytes: Uint8Array, offset: number, length: number, file_offset: number): number
  truncate(fd: number, file_bytes: number): void
  sync(fd: number): Promise<void>
  /** Makes the names in a directory durable; syncing a file does not. */
  syncDirectory(path: string): Promise<void>
  close(fd: number): void
  unlink(path: string): void
}

export const nodeFiles: TapeFiles = {
  create: (path) => openSync(path, 'wx', 0o600),
  write: writeSync,
  truncate: ftruncateSync,
  sync: (fd) =>
    new Promise((resolve, reject) => {
      fdatasync(fd, (error) => (error === null ? resolve() : reject(error)))
    }),
  syncDirectory: (path) =>
    new Promise((resolve, reject) => {
      const fd = openSync(path, 'r')
      fsync(fd, (error) => {
        closeSync(fd)
        if (error === null) resolve()
        else reject(error)
      })
    }),
  close: closeSync,
  unlink: unlinkSync,
}

/** An error code like `ENOSPC`, for logs and status. */
export function errorCode(error: unknown): string {
  const code = (error as NodeJS.ErrnoException | undefined)?.code
  return typeof code === 'string' ? code : 'unknown'
}
