/**
 * Remembers, next to the tape, the requests with an Idempotency-Key that found the state already as
 * requested. They have no line in the audit log, yet a retry of one must not change anything that
 * somebody else changed meanwhile. Of many requests only the newest are kept.
 */
import { readFileSync } from 'node:fs'
import { join } from 'node:path'
import { z } from 'zod'
import { OperatorError } from '#core/errors.ts'
import type { Logger } from '#core/node/log.ts'
import { AuditResult } from './audit-log.ts'
import { replaceFile } from './replace-file.ts'
import { WantedWire } from './wire.ts'

const Unchanged = z.strictObject({
  idempotency_key: z.string(),
  /** A hash of the request's action and body. */
  fingerprint: z.string(),
  revision: z.int().min(0),
  wanted: WantedWire,
  result: AuditResult,
})
export type Unchanged = z.infer<typeof Unchanged>

export interface UnchangedBook {
  byKey(idempotency_key: string): Unchanged | undefined
  /** Returns once it is on the disk. Errors: OperatorError answer_unwritable. */
  remember(answer: Unchanged): void
}

const UNCHANGED_FILE = 'unchanged.json'
export const UNCHANGED_MAX = 100

/** An unreadable file is logged and then ignored. */
export function openUnchangedBook(dir: string, log: Logger): UnchangedBook {
  const path = join(dir, UNCHANGED_FILE)
  let answers = readAnswers(path, log)
  return {
    byKey: (key) => answers.find(({ idempotency_key }) => idempotency_key === key),
    remember(answer) {
      const next = [...answers, answer].slice(-UNCHANGED_MAX)
      try {
        replaceFile(path, `${JSON.stringify(next)}\n`)
      } catch (cause) {
        const message = `The answer cannot be kept for a retry: ${(cause as Error).message}.`
        const hint = 'Nothing was changed. See whether the disk of TAPE_DIR is full.'
        throw new OperatorError('answer_unwritable', message, { hint, retryable: true, cause })
      }
      answers = next
    },
  }
}

function readAnswers(path: string, log: Logger): readonly Unchanged[] {
  try {
    return z.array(Unchanged).parse(JSON.parse(readFileSync(path, 'utf8')))
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === 'ENOENT') return []
    const facts = { code: 'unchanged_unreadable', path, error: (error as Error).message }
    log.error(facts, 'Retries of requests that changed nothing are not recognized.')
    return []
  }
}
