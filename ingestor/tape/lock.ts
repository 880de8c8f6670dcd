/**
 * One writer for a tape: a symbolic link `lock` that points at nothing and names the process
 * holding it. Made in one step, with its contents, and on a full disk too. A pid alone is not
 * enough, so its start time stands beside it; the lock of a dead process is taken over.
 */
import { readlinkSync, renameSync, rmSync, symlinkSync } from 'node:fs'
import { join } from 'node:path'
import { OperatorError } from '#core/errors.ts'
import { identify, isRunning, type ProcessIdentity } from '#core/node/process-table.ts'
import { errorCode } from './files.ts'

const ATTEMPTS = 10

/** Returns what gives the lock back. Throws OperatorError `tape_locked` where somebody holds it. */
export function lockTape(dir: string): () => void {
  const path = lockPath(dir)
  for (let attempt = 0; attempt < ATTEMPTS; attempt++) {
    if (tryLock(path)) return () => rmSync(path, { force: true })
    const holder = lockHolder(dir)
    if (holder !== undefined) {
      throw new OperatorError('tape_locked', `Process ${holder.pid} writes the tape in ${dir}.`, {
        hint: 'Stop it first, or give this ingestor a tape directory of its own.',
      })
    }
    removeDead(path)
  }
  throw new OperatorError('tape_locked', `The lock ${path} keeps coming back.`, {
    hint: 'Several ingestors start on this directory at once: leave one.',
    retryable: true,
  })
}

/** The process that writes the tape at this moment. */
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

/** Renamed before it is deleted: of several that find a dead lock, one alone can rename it. */
function removeDead(path: string): void {
  const aside = `${path}.${process.pid}`
  try {
    renameSync(path, aside)
    // Somebody may have taken the lock since it was found dead: then it goes back.
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
