/** Has a heavy task done by a process of its own. The other side is heavy-main.ts. */
import { fork } from 'node:child_process'
import { fileURLToPath } from 'node:url'
import { OperatorError } from '#core/errors.ts'
import { errorFrom } from '../runs/failure.ts'
import type { FromHeavy } from './heavy-main.ts'
import type { HeavyTask } from './heavy-task.ts'

const MAIN = fileURLToPath(new URL('heavy-main.ts', import.meta.url))
/** Space for young objects would grow to 134 MB a thread. */
const NODE_ARGS = ['--max-semi-space-size=16']
/** A task that is called off and has not ended by then is ended by force. */
const STOP_LIMIT_MS = 20_000

/**
 * Settles when the process has ended. It has the daemon's environment, hence its settings. Errors:
 * the task's own; `heavy_task_ended` where the process ended without a word.
 */
export async function runInProcess(task: HeavyTask, signal: AbortSignal): Promise<void> {
  signal.throwIfAborted()
  const child = fork(MAIN, { execArgv: NODE_ARGS })
  const { promise: ended, resolve, reject } = Promise.withResolvers<string>()
  child.once('exit', (code, name) => resolve(name ?? `exit code ${code}`))
  child.once('error', reject)
  let last: FromHeavy | undefined
  child.once('message', (message: FromHeavy) => (last = message))
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
    throw new OperatorError('heavy_task_ended', `The process of a ${task.kind} task ended: ${reason}.`, {
      hint: 'Where the system has ended it, give it more memory.',
      retryable: true,
    })
  } finally {
    clearTimeout(timer)
    signal.removeEventListener('abort', stop)
  }
}
