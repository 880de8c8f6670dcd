/** A thread that computes symbols' days. builders.ts is the other side. */
import { parentPort, workerData } from 'node:worker_threads'
import { joinDay, type SharedDay } from '../../day/day.ts'
import { type Failure, failureOf } from '../../runs/failure.ts'
import { buffersOf, type BuildTask, type MadeDay, makeSymbolDay } from './made-day.ts'

export type ToBuilder = { readonly kind: 'build'; readonly task: BuildTask }

export type FromBuilder =
  | { readonly kind: 'joined' }
  | { readonly kind: 'built'; readonly day: MadeDay }
  | BuilderFailure

/** Threads do not preserve the class of an error. */
export interface BuilderFailure extends Failure {
  readonly kind: 'failed'
}

if (parentPort !== null) await run(parentPort, workerData as SharedDay)

async function run(port: NonNullable<typeof parentPort>, shared: SharedDay): Promise<void> {
  const fail = (error: unknown): void => {
    port.postMessage({ kind: 'failed', ...failureOf(error) } satisfies FromBuilder)
  }
  const reader = await joinDay(shared).catch(fail)
  if (reader === undefined) return
  // The main thread ends this one, so it needs no signal of its own.
  const { signal } = new AbortController()
  port.on('message', ({ task }: ToBuilder) => {
    makeSymbolDay(reader, task, signal).then(
      (day) => port.postMessage({ kind: 'built', day } satisfies FromBuilder, buffersOf(day)),
      fail,
    )
  })
  port.postMessage({ kind: 'joined' } satisfies FromBuilder)
}
