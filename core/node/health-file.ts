/**
 * Says to a container's health check that this program serves and is alive: it writes HEALTH_FILE
 * every five seconds, and removes it when it begins to stop. A timer of the event loop writes it,
 * so a loop that hangs lets it grow old.
 */
import { rmSync, writeFileSync } from 'node:fs'
import type { Logger } from './log.ts'

export interface HealthFile {
  ready(isAlive: () => boolean): void
  stopping(): void
}

const WRITE_MS = 5_000

export function createHealthFile(path: string, log: Logger): HealthFile {
  let timer: NodeJS.Timeout | undefined
  let has_failed = false
  const attempt = (change: () => void): void => {
    try {
      change()
    } catch (error) {
      if (has_failed) return
      has_failed = true
      const facts = { code: 'health_file_failed', path, error: String(error) }
      log.warn(facts, 'HEALTH_FILE cannot be written; the health check will fail.')
    }
  }
  const remove = (): void => attempt(() => rmSync(path, { force: true }))
  // Of a process before this one that was killed.
  remove()
  return {
    ready(isAlive) {
      const write = (): void => {
        if (isAlive()) attempt(() => writeFileSync(path, `${process.pid}\n`))
      }
      write()
      timer = setInterval(write, WRITE_MS).unref()
    },
    stopping() {
      clearInterval(timer)
      remove()
    },
  }
}
