/** Answers in the isolate's memory, limited in bytes. Drops the oldest first. */
import { micros, SECOND_US, type Micros } from '#core/time.ts'
import { freshnessOf } from './freshness.ts'

/** An answer as bytes, without the headers for one caller. */
export interface KeptAnswer {
  readonly status: number
  readonly headers: readonly (readonly [name: string, value: string])[]
  readonly body: Uint8Array<ArrayBuffer>
  /** What made it a problem; then it is not kept, but concurrent requests get it too. */
  readonly error?: Error | undefined
}

export interface TimedAnswer {
  readonly answer: KeptAnswer
  readonly made_at: Micros
  /** Until then the answer may be served. */
  readonly fresh_until: Micros
  /** Until then it may be served while a new answer is made. */
  readonly stale_until: Micros
}

/** As its Cache-Control says. */
export function timed(answer: KeptAnswer, made_at: Micros): TimedAnswer {
  const { fresh_s, stale_s } = freshnessOf(headerOf(answer, 'cache-control'))
  const fresh_until = micros(made_at + fresh_s * SECOND_US)
  return { answer, made_at, fresh_until, stale_until: micros(fresh_until + stale_s * SECOND_US) }
}

export function headerOf({ headers }: KeptAnswer, name: string): string | undefined {
  return headers.find(([known]) => known === name)?.[1]
}

/** Context variable with the Kept of an answer that may be in memory. */
export const KEPT = 'kept'

export interface Kept {
  /** Of the answer in memory. */
  readonly key: string
  readonly entry: TimedAnswer
}

export interface KeptAnswers {
  get(key: string): TimedAnswer | undefined
  /** False if the answer is too large to keep. */
  set(key: string, entry: TimedAnswer): boolean
}

const BYTES_MAX = 8 << 20
/** Larger answers are not kept: keeping one takes more memory than making it again. */
export const ANSWER_BYTES_MAX = 1 << 20
/** Memory of an entry besides its body. */
const ENTRY_BYTES = 1_000

export function createKeptAnswers(): KeptAnswers {
  const entries = new Map<string, TimedAnswer>()
  let byte_count = 0
  const remove = (key: string): void => {
    const entry = entries.get(key)
    if (entry === undefined) return
    entries.delete(key)
    byte_count -= sizeOf(entry)
  }
  return {
    get: (key) => entries.get(key),
    set(key, entry) {
      remove(key)
      if (entry.answer.body.byteLength > ANSWER_BYTES_MAX) return false
      entries.set(key, entry)
      byte_count += sizeOf(entry)
      for (const oldest of entries.keys()) {
        if (byte_count <= BYTES_MAX) break
        remove(oldest)
      }
      return true
    },
  }
}

function sizeOf({ answer }: TimedAnswer): number {
  return answer.body.byteLength + ENTRY_BYTES
}
