/** Findings of the doctor's checks, and the time limit of a check. */
import { describeError, OperatorError } from '#core/errors.ts'
import { withDeadline } from '#core/waiting.ts'

export const LEVELS = ['ok', 'warning', 'error'] as const
export type Level = (typeof LEVELS)[number]

export interface Finding {
  /** A constant, with the part of the installation first: `tape.fsync`. */
  readonly check: string
  readonly level: Level
  /** Sentences. `expected` and `todo` are null if nothing is wrong. */
  readonly found: string
  readonly expected: string | null
  readonly todo: string | null
}

export interface Check {
  /** Advice if the whole check fails. */
  readonly check: string
  /** Ends soon after the signal is aborted. Its findings are then lost. */
  run(signal: AbortSignal): Promise<readonly Finding[]>
}

export interface Advice {
  readonly expected: string
  readonly todo: string
}

export function fine(check: string, found: string): Finding {
  return { check, level: 'ok', found, expected: null, todo: null }
}

export function warning(check: string, found: string, advice: Advice): Finding {
  return { check, level: 'warning', found, ...advice }
}

export function failure(check: string, found: string, advice: Advice): Finding {
  return { check, level: 'error', found, ...advice }
}

/** The findings of `look`, or one error that says why it failed. */
export async function attempt(
  check: string,
  look: () => Promise<readonly Finding[]>,
  advice: Advice,
): Promise<readonly Finding[]> {
  try {
    return await look()
  } catch (error) {
    const todo = error instanceof OperatorError ? (error.hint ?? advice.todo) : advice.todo
    const found = error instanceof OperatorError ? error.message : sentence(describeError(error))
    return [failure(check, found, { ...advice, todo })]
  }
}

/** Runs the stages in order and the checks of a stage in parallel. Each check has `limit_ms`. */
export async function runChecks(
  stages: readonly (readonly Check[])[],
  limit_ms: number,
): Promise<readonly Finding[]> {
  const findings: Finding[] = []
  for (const stage of stages) {
    const found = await Promise.all(stage.map((check) => runCheck(check, limit_ms)))
    findings.push(...found.flat())
  }
  return findings
}

async function runCheck({ check, run }: Check, limit_ms: number): Promise<readonly Finding[]> {
  const enough = new AbortController()
  const advice = {
    expected: `an answer within ${limit_ms / 1_000} s`,
    todo: 'See whether what it asks is overloaded or out of reach.',
  }
  try {
    return await attempt(
      check,
      () => withDeadline(run(enough.signal), limit_ms, () => new Error('There was no answer')),
      advice,
    )
  } finally {
    enough.abort()
  }
}

/** Messages of libraries begin and end as they like. */
export function sentence(text: string): string {
  const trimmed = text.trim()
  return /[.!?]$/.test(trimmed) ? trimmed : `${trimmed}.`
}
