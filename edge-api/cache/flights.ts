/** Answers that are being made, by the key of their request. */
import type { Micros } from '#core/time.ts'
import type { TimedAnswer } from './kept-answers.ts'

export interface Flight {
  /** Requests other than the leader wait for its answer. */
  is_shared: boolean
  readonly begun_at: Micros
  /** Rejects with NO_ANSWER if others must make the answer. */
  readonly entry: Promise<TimedAnswer>
}

export type Flights = Map<string, Flight>

export const NO_ANSWER = new Error('The leader has not answered.')
