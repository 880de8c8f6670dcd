/** Waits that always end: with the awaited value, or with an error that says what is wrong. */
import { withDeadline } from '#core/waiting.ts'
import type { Child } from '../../infra/local/child.ts'

/** Longer than any step takes, even on a machine that is ten times too slow. */
export const STEP_LIMIT_MS = 180_000

/**
 * Sends the ingestor the request to commit everything received, and waits for `drained`. Throws if
 * the ingestor exits before that, because its successor does not know of the request.
 */
export async function drain(
  child: Child,
  drained: Promise<void>,
  limit_ms = STEP_LIMIT_MS,
): Promise<void> {
  const failure = (what: string): Error =>
    new Error(`The ${child.name} ${what}. Its log ends with:\n${child.logEnd()}`)
  const ended = child.ended.then((reason): never => {
    throw failure(`exited while it drained (${reason})`)
  })
  child.send({ type: 'drain' })
  await withDeadline(Promise.race([drained, ended]), limit_ms, () =>
    failure(`did not drain within ${limit_ms / 1_000} s`),
  )
}
