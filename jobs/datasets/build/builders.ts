/**
 * Who computes symbols' days: this thread, or several others beside it. What is computed does not
 * depend on it, and results come in the order of the tasks, so neither do the bytes.
 */
import { Worker } from 'node:worker_threads'
import { OperatorError } from '#core/errors.ts'
import type { SharedDay } from '../../day/day.ts'
import type { DayReader } from '../../day/events.ts'
import { errorFrom } from '../../runs/failure.ts'
import type { FromBuilder, ToBuilder } from './builder-thread.ts'
import { type BuildTask, type KeptHours, type MadeDay, makeSymbolDay } from './made-day.ts'

export interface Builder {
  /** How many threads it has beside this one. */
  readonly thread_count: number
  build(task: BuildTask): Promise<MadeDay>
  /** Ends the threads, whatever they are at. */
  close(): Promise<void>
}

/** `kept`: hours that earlier builds of the day have finished. */
export function inlineBuilder(
  reader: DayReader,
  signal: AbortSignal,
  kept?: KeptHours,
): Builder {
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
      // A thread that was ended says so; why it was ended is what counts.
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
 * The tasks' results in their order. At most `ahead` are in the making or wait to be taken, so that
 * memory holds that many days of a symbol and no more.
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
      // Whoever waits for it gets the error; until then it is nobody's.
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
    fail(new OperatorError('thread_ended', 'A thread of the build has ended.'))
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
