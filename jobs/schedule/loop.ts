/**
 * Runs a job again and again while the daemon lives. It stands beside the queue, which knows no
 * shorter time than a minute; what a run did not write the next one writes.
 */
import { setTimeout as sleep } from 'node:timers/promises'
import { describeError, OperatorError } from '#core/errors.ts'
import type { Logger } from '#core/node/log.ts'

export interface Loop {
  /** Aborts the run that is on, and waits for its end. */
  stop(): Promise<void>
}

export interface LoopOptions {
  readonly job: string
  /**
   * From the beginning of a run to that of the next, in seconds; a longer run is followed at once.
   */
  readonly every_s: number
  /** One run, with its row in job_runs. */
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
      if (isTaken(error)) log.debug(facts, 'Another process is at this job just now.')
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
