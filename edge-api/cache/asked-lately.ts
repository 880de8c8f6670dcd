/** Which questions were asked lately: their answers are worth keeping. */
import type { Micros } from '#core/time.ts'

/** Remembers the question. True if it was asked in the last `span_us` before. */
export type WasAskedLately = (key: string) => boolean

const COUNT_MAX = 5_000

export function createAskedLately(span_us: number, now: () => Micros): WasAskedLately {
  const asked_at = new Map<string, Micros>()
  return (key) => {
    const at = now()
    const before = asked_at.get(key)
    if (before === undefined && asked_at.size >= COUNT_MAX) asked_at.clear()
    asked_at.set(key, at)
    return before !== undefined && at - before < span_us
  }
}
