/**
 * Repeats a job while the daemon runs. It exists beside the queue, which cannot schedule anything
 * more often than once a minute. A failed run needs no retry: the next run does its work.
 */
import { setTimeout as sleep } from 'node:timers/promises'
import { describeError, OperatorError } from '#core/errors.ts'
import type { Logger } from '#core/node/log.ts'

export interface Loop {
  /** Aborts the current run and waits for its end. */
  stop(): Promise<void>
}

export interface LoopOptions {
  readonly job: string
  /** Seconds from the start of one run to the start of the next. Overlong runs follow at once. */
  readonly every_s: number
  /** Does one run and records it in job_runs. */
  readonly run: (signal: AbortSignal) => Promise<unknown>
  readonly log: Logger
}

export function startLoop(options: LoopOptions): Loop {
  const stopping = new AbortController()
  const running = runUntilStopped(options, stopping.signal)
  return {
    async stop() {
      stopping.abort()
      await running
    },
  }
}

async function runUntilStopped(
  { job, every_s, run, log }: LoopOptions,
  signal: AbortSignal,
): Promise<void> {
  let is_failing = false
  while (!signal.aborted) {
    const began_ms = performance.now()
    try {
      await run(signal)
      if (is_failing) log.info({ job }, 'The job works again.')
      is_failing = false
    } catch (error) {
      const facts = { code: 'job_failed', job, error: describeError(error) }
      if (isTaken(error)) log.debug(facts, 'Another process is running this job.')
      else if (!is_failing) log.warn(facts, 'The job failed; trying again.')
      is_failing ||= !isTaken(error)
    }
    const rest_ms = Math.max(0, every_s * 1_000 - (performance.now() - began_ms))
    await sleep(rest_ms, undefined, { signal }).catch(() => undefined)
  }
}

function isTaken(error: unknown): boolean {
  return error instanceof OperatorError && error.code === 'run_in_progress'
}
