/**
 * Computes symbols' days on this thread or on several others. Results do not depend on the choice
 * and come in the order of the tasks, so the bytes are the same.
 */
import { Worker } from 'node:worker_threads'
import { OperatorError } from '#core/errors.ts'
import type { SharedDay } from '../../day/day.ts'
import type { DayReader } from '../../day/events.ts'
import { errorFrom } from '../../runs/failure.ts'
import type { FromBuilder, ToBuilder } from './builder-thread.ts'
import { type BuildTask, type KeptHours, type MadeDay, makeSymbolDay } from './made-day.ts'

export interface Builder {
  /** Number of threads besides this one. */
  readonly thread_count: number
  build(task: BuildTask): Promise<MadeDay>
  /** Ends the threads, even in the middle of a task. */
  close(): Promise<void>
}

/** `kept`: hours that earlier builds of the day have finished. */
export function inlineBuilder(reader: DayReader, signal: AbortSignal, kept?: KeptHours): Builder {
  return {
    thread_count: 0,
    build: (task) => makeSymbolDay(reader, task, signal, kept),
    close: () => Promise.resolve(),
  }
}

/** Resolves once every thread has joined the day's view. */
export async function threadBuilder(
  shared: SharedDay,
  thread_count: number,
  signal: AbortSignal,
): Promise<Builder> {
  const threads = Array.from({ length: thread_count }, () => startThread(shared))
  const idle = [...threads]
  const waiting: ((thread: BuilderThread) => void)[] = []
  const close = async (): Promise<void> => {
    await Promise.all(threads.map((thread) => thread.end()))
  }
  const stop = (): void => void close()
  signal.addEventListener('abort', stop, { once: true })
  const failing = <T>(work: Promise<T>): Promise<T> =>
    work.catch((error: unknown) => {
      // A terminated thread reports an error, but the reason for ending it is what matters.
      signal.throwIfAborted()
      throw error
    })
  try {
    await failing(Promise.all(threads.map((thread) => thread.joined)))
  } catch (error) {
    await close()
    throw error
  }
  return {
    thread_count,
    async build(task) {
      signal.throwIfAborted()
      const thread = idle.pop() ?? (await new Promise<BuilderThread>((free) => waiting.push(free)))
      try {
        return await failing(thread.build(task))
      } finally {
        const next = waiting.shift()
        if (next === undefined) idle.push(thread)
        else next(thread)
      }
    },
    async close() {
      signal.removeEventListener('abort', stop)
      await close()
    },
  }
}

/**
 * The tasks' results in order. At most `ahead` tasks run or wait to be taken, so that memory holds
 * only that many symbols' days.
 */
export async function* inOrder(
  builder: Builder,
  tasks: readonly BuildTask[],
  ahead: number,
): AsyncGenerator<MadeDay> {
  const started: Promise<MadeDay>[] = []
  let next = 0
  for (let taken = 0; taken < tasks.length; taken++) {
    for (; next < tasks.length && next < taken + ahead; next++) {
      const day = builder.build(tasks[next]!)
      // The error surfaces when the loop awaits the day; until then it must not be unhandled.
      day.catch(() => undefined)
      started.push(day)
    }
    yield await started.shift()!
  }
}

interface BuilderThread {
  readonly joined: Promise<void>
  build(task: BuildTask): Promise<MadeDay>
  end(): Promise<void>
}

function startThread(workerData: SharedDay): BuilderThread {
  const worker = new Worker(new URL('builder-thread.ts', import.meta.url), { workerData })
  const joined = Promise.withResolvers<void>()
  let current: PromiseWithResolvers<MadeDay> | undefined
  let ended: unknown
  const fail = (error: unknown): void => {
    ended ??= error
    joined.reject(error)
    current?.reject(error)
  }
  joined.promise.catch(() => undefined)
  worker.on('message', (message: FromBuilder) => {
    if (message.kind === 'joined') joined.resolve()
    else if (message.kind === 'built') current?.resolve(message.day)
    else fail(errorFrom(message))
  })
  worker.on('error', fail)
  worker.on('exit', () => {
    fail(new OperatorError('thread_ended', 'A build thread ended unexpectedly.'))
  })
  return {
    joined: joined.promise,
    build(task) {
      if (ended !== undefined) return Promise.reject(ended)
      current = Promise.withResolvers<MadeDay>()
      worker.postMessage({ kind: 'build', task } satisfies ToBuilder, [])
      return current.promise
    },
    async end() {
      await worker.terminate()
    },
  }
}
