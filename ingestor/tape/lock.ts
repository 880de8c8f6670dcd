/**
 * Allows one writer per tape, with a symbolic link `lock` that points at nothing and names its
 * process. A link is created atomically with its content, even on a full disk. It holds the start
 * time too, because a pid alone may be reused. The lock of a dead process is taken over.
 */
import { readlinkSync, renameSync, rmSync, symlinkSync } from 'node:fs'
import { join } from 'node:path'
import { OperatorError } from '#core/errors.ts'
import { identify, isRunning, type ProcessIdentity } from '#core/node/process-table.ts'
import { errorCode } from './files.ts'

const ATTEMPTS = 10

/**
 * Returns a function that unlocks. Throws OperatorError `tape_locked` if a process holds the lock.
 */
export function lockTape(dir: string): () => void {
  const path = lockPath(dir)
  for (let attempt = 0; attempt < ATTEMPTS; attempt++) {
    if (tryLock(path)) return () => rmSync(path, { force: true })
    const holder = lockHolder(dir)
    if (holder !== undefined) {
      throw new OperatorError('tape_locked', `Process ${holder.pid} writes the tape in ${dir}.`, {
        hint: 'Stop it first, or give this ingestor a separate tape directory.',
      })
    }
    removeDead(path)
  }
  throw new OperatorError(
    'tape_locked',
    `The lock ${path} was taken by another process on every attempt.`,
    {
      hint: 'Several ingestors are starting on this directory at once. Keep only one.',
      retryable: true,
    },
  )
}

/** The process that writes the tape now. */
export function lockHolder(dir: string): ProcessIdentity | undefined {
  return livingHolder(lockPath(dir))
}

function lockPath(dir: string): string {
  return join(dir, 'lock')
}

function tryLock(path: string): boolean {
  const { pid, started } = identify(process.pid)!
  try {
    symlinkSync(`${pid} ${started}`, path)
    return true
  } catch (cause) {
    if (errorCode(cause) === 'EEXIST') return false
    throw cause
  }
}

/**
 * Renames the lock before deleting it: if several processes find it dead, only one can rename it.
 */
function removeDead(path: string): void {
  const aside = `${path}.${process.pid}`
  try {
    renameSync(path, aside)
    // Another process may have taken the lock after it was found dead. Then put it back.
    if (livingHolder(aside) !== undefined) renameSync(aside, path)
    else rmSync(aside, { force: true })
  } catch (cause) {
    if (errorCode(cause) !== 'ENOENT') throw cause
  }
}

function livingHolder(path: string): ProcessIdentity | undefined {
  let target: string
  try {
    target = readlinkSync(path)
  } catch (cause) {
    if (errorCode(cause) === 'ENOENT') return undefined
    throw cause
  }
  const blank = target.indexOf(' ')
  const holder = { pid: Number(target.slice(0, blank)), started: target.slice(blank + 1) }
  return isRunning(holder) ? holder : undefined
}
