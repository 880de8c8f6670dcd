/** Waits of a run that end: with what was waited for, or with an error that says what is wrong. */
import type { Child } from '../../infra/local/child.ts'

/** No step takes so long even where the machine is ten times too slow for it. */
export const STEP_LIMIT_MS = 180_000

/** The promise, or after `limit_ms` the error that `late` makes. */
export async function within<T>(limit_ms: number, promise: Promise<T>, late: () => Error): Promise<T> {
  const expired = Promise.withResolvers<never>()
  const timer = setTimeout(() => expired.reject(late()), limit_ms)
  try {
    return await Promise.race([promise, expired.promise])
  } finally {
    clearTimeout(timer)
  }
}

/**
 * Tells the ingestor to commit what it has received, and waits until it says so (`drained`). Throws
 * where it ends before that: one that is started in its place knows nothing of the wish.
 */
export async function drain(child: Child, drained: Promise<void>, limit_ms = STEP_LIMIT_MS): Promise<void> {
  const failure = (what: string): Error =>
    new Error(`The ${child.name} ${what}. Its log ends with:\n${child.logEnd()}`)
  const ended = child.ended.then((reason): never => {
    throw failure(`ended while it drained (${reason})`)
  })
  child.send({ type: 'drain' })
  await within(limit_ms, Promise.race([drained, ended]), () =>
    failure(`did not drain within ${limit_ms / 1_000} s`),
  )
}
