/** Runs a heavy task in a child process. heavy-main.ts is the other side. */
import { fork } from 'node:child_process'
import { existsSync, writeFileSync } from 'node:fs'
import { setPriority } from 'node:os'
import { fileURLToPath } from 'node:url'
import { OperatorError } from '#core/errors.ts'
import { errorFrom } from './runs/failure.ts'
import { announceRun } from './runs/run-events.ts'
import type { FromHeavy, HeavyTask } from './schedule/heavy-task.ts'

const MAIN = fileURLToPath(new URL('heavy-main.ts', import.meta.url))
/** Without this, the space for young objects would grow to 134 MB per thread. */
export const HEAVY_NODE_ARGS = ['--max-semi-space-size=16']
/**
 * glibc raises the size from which it returns freed memory to the system, up to 32 MB, unless the
 * size is fixed. With columns of 0.7 MB in several threads, this saves 140 of 820 MB.
 */
export const HEAVY_ENV = { MALLOC_ARENA_MAX: '2', MALLOC_MMAP_THRESHOLD_: '262144' } as const
/** A third of the CPU time of each other process that wants the same core. */
export const HEAVY_NICENESS = 5
/** An aborted task that has not ended after this time is killed. */
const STOP_LIMIT_MS = 20_000

/**
 * Settles when the process has ended. The process inherits the daemon's environment, and so its
 * settings. Errors: the task's own; `heavy_task_ended` if the process ended without a result.
 */
export async function runInProcess(task: HeavyTask, signal: AbortSignal): Promise<void> {
  signal.throwIfAborted()
  // Detached: in a session of its own, whose niceness is set below.
  const env = { ...process.env, ...HEAVY_ENV }
  const child = fork(MAIN, { execArgv: HEAVY_NODE_ARGS, env, detached: true })
  yieldToOthers(child.pid)
  const { promise: ended, resolve, reject } = Promise.withResolvers<string>()
  child.once('exit', (code, name) => resolve(name ?? `exit code ${code}`))
  child.once('error', reject)
  let last: FromHeavy | undefined
  child.on('message', (message: FromHeavy) => {
    if (message.type === 'run_ended') announceRun(message.run)
    else last = message
  })
  let timer: NodeJS.Timeout | undefined
  const stop = (): void => {
    child.kill('SIGTERM')
    timer = setTimeout(() => child.kill('SIGKILL'), STOP_LIMIT_MS)
  }
  signal.addEventListener('abort', stop, { once: true })
  try {
    child.send(task)
    const reason = await ended
    if (last?.type === 'done') return
    signal.throwIfAborted()
    if (last?.type === 'failed') throw errorFrom(last.failure)
    throw new OperatorError(
      'heavy_task_ended',
      `The process of a ${task.kind} task ended early: ${reason}.`,
      {
        hint: 'If the system killed it for lack of memory, give it more.',
        retryable: true,
      },
    )
  } finally {
    clearTimeout(timer)
    signal.removeEventListener('abort', stop)
  }
}

/**
 * Recording and delivery go first where they share the cores: a build of today's features takes all
 * of two cores for ten seconds, and live messages waited for half a second.
 */
function yieldToOthers(pid: number | undefined): void {
  if (pid === undefined) return
  try {
    setPriority(pid, HEAVY_NICENESS)
    // Where Linux shares the cores among sessions, a process's niceness counts within its own only.
    const autogroup = `/proc/${pid}/autogroup`
    if (existsSync(autogroup)) writeFileSync(autogroup, String(HEAVY_NICENESS))
  } catch {
    // The process has ended, or systemd forbids it, whose CPUWeight does the same.
  }
}
