/** A program's log where no journal keeps it: one file, and the one before it. */
import { appendFileSync, mkdirSync, readFileSync, renameSync, statSync } from 'node:fs'
import { dirname } from 'node:path'

const BYTES_MAX = 16 * 1024 * 1024
const END_BYTES = 4_000
const LINES = 20

export interface LogFile {
  append(text: Buffer): void
  /** The last lines. */
  end(): string
}

export function openLogFile(path: string): LogFile {
  mkdirSync(dirname(path), { recursive: true, mode: 0o750 })
  let size = statSync(path, { throwIfNoEntry: false })?.size ?? 0
  return {
    append(text) {
      try {
        if (size > BYTES_MAX) {
          renameSync(path, `${path}.1`)
          size = 0
        }
        appendFileSync(path, text, { mode: 0o640 })
        size += text.length
      } catch {
        // A full disk costs log lines, never a program.
      }
    },
    end() {
      try {
        return readFileSync(path)
          .subarray(-END_BYTES)
          .toString()
          .trimEnd()
          .split('\n')
          .slice(-LINES)
          .join('\n')
      } catch {
        return '(no log)'
      }
    },
  }
}
