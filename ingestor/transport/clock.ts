/**
 * The receive stamp: wall time in microseconds. The monotonic clock interpolates between anchors,
 * because Date.now() has only milliseconds. When the wall clock steps, the stamp follows at once
 * and the step is reported; otherwise it would stay wrong until a restart.
 */
import { micros, type Micros } from '#core/time.ts'

/** Allowed difference of wall and interpolated time: Date.now() cuts off up to a millisecond. */
const STEP_MS_MIN = 2

export interface Clock {
  /**
   * Never the same twice, and ascending unless the wall clock steps back. So a stamp identifies a
   * record among those of one ingestor: decision 44.
   */
  now(): Micros
  /** The stamp of something else that arrived at the same time as the last stamp. */
  again(): Micros
}

export interface ClockOptions {
  /** Called with the size of each step of the wall clock, in ms, positive when it jumped ahead. */
  readonly onStep?: (step_ms: number) => void
  readonly wall_ms?: () => number
  readonly monotonic_ms?: () => number
}

export function createClock(options: ClockOptions = {}): Clock {
  const wallMs = options.wall_ms ?? Date.now
  const monotonicMs = options.monotonic_ms ?? (() => performance.now())
  // Add half of the millisecond that the wall clock cuts off, so the error has no bias.
  const offset = (): number => wallMs() + 0.5 - monotonicMs()
  let anchor_ms = offset()
  const followStep = (): void => {
    // A pause of the process between two clock reads looks like a step. A second read decides.
    const first = offset()
    const second = offset()
    if (Math.abs(first - second) >= STEP_MS_MIN) return
    const step_ms = second - anchor_ms
    if (Math.abs(step_ms) < STEP_MS_MIN) return
    anchor_ms = second
    options.onStep?.(step_ms)
  }
  let last = 0
  const distinct = (stamp: Micros): Micros => {
    const is_repeated = stamp <= last && last - stamp < STEP_MS_MIN * 1_000
    last = is_repeated ? last + 1 : stamp
    return micros(last)
  }
  return {
    now() {
      const carried_ms = anchor_ms + monotonicMs()
      if (Math.abs(wallMs() + 0.5 - carried_ms) < STEP_MS_MIN) return distinct(toMicros(carried_ms))
      followStep()
      return distinct(toMicros(anchor_ms + monotonicMs()))
    },
    again: () => micros(++last),
  }
}

function toMicros(value_ms: number): Micros {
  return micros(Math.round(value_ms * 1_000))
}
