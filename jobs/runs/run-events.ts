/**
 * Announces the end of every run in this process, so that metrics need no parameter in each job.
 * The process of a heavy task passes them on to the daemon.
 */
import { channel } from 'node:diagnostics_channel'

export interface RunEvent {
  readonly job: string
  readonly status: 'done' | 'failed'
  readonly elapsed_s: number
  /** Zero if it failed. */
  readonly row_count: number
  readonly byte_count: number
}

const ended = channel('booktape.jobs.run_ended')

export function announceRun(event: RunEvent): void {
  ended.publish(event)
}

export function onRunEnd(listener: (event: RunEvent) => void): void {
  ended.subscribe((message) => listener(message as RunEvent))
}
