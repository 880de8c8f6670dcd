/**
 * Learns the usual pace of each stream from its frame count and its longest waits, and decides
 * which silences are unusual.
 */
import type { StreamView } from '../../../ingestor/control/view.ts'
import type { Pace } from '../wire.ts'

export interface PaceBook {
  /** Judges a stream. `listening_s`: longest time that we can have been receiving it. */
  judge(key: string, stream: StreamView, now_ms: number, listening_s: number): Judged
  /** Forgets streams that were not judged since the last call. */
  forgetBefore(at_ms: number): void
}

export interface Judged {
  readonly pace: Pace
  /** Mean time between two frames; null: not known yet. */
  readonly normal_ms: number | null
}

interface Seen {
  readonly frame_count: number
  readonly at_ms: number
  /** Undefined until there are enough frames. */
  readonly frames_per_ms: number | undefined
  /**
   * The longest wait that has ended. It fades. Trades come in bursts, so their waits are longer
   * than those of random arrivals.
   */
  readonly wait_ms: number
  readonly silent_ms: number
}

/**
 * Multiples of the mean wait. Random arrivals exceed them once in 10^10 and once in 20,000 waits.
 */
const SILENT_MEANS = 25
const LATE_MEANS = 10
/** Multiples of the longest wait. */
const SILENT_WAITS = 2.5
const LATE_WAITS = 1.5
const SILENT_MS_MIN = 2_500
const LATE_MS_MIN = 1_500
const FRAMES_MIN = 20
/** How fast a new rate replaces the old one, and a long wait is forgotten. */
const RATE_MEMORY_MS = 300_000
const WAIT_MEMORY_MS = 3_600_000

export function createPaceBook(): PaceBook {
  const seen = new Map<string, Seen>()
  return {
    judge(key, stream, now_ms, listening_s) {
      const one = learn(seen.get(key), stream, now_ms, listening_s)
      seen.set(key, one)
      const normal_ms = one.frames_per_ms === undefined ? null : 1 / one.frames_per_ms
      return { normal_ms, pace: paceOf(stream, one) }
    },
    forgetBefore(at_ms) {
      for (const [key, { at_ms: judged_ms }] of seen) if (judged_ms < at_ms) seen.delete(key)
    },
  }
}

function learn(
  before: Seen | undefined,
  stream: StreamView,
  at_ms: number,
  listening_s: number,
): Seen {
  const { frame_count } = stream
  const silent_ms = stream.silent_ms ?? 0
  const is_new = before === undefined || frame_count < before.frame_count
  if (is_new || before.frames_per_ms === undefined) {
    const is_enough = frame_count >= FRAMES_MIN && listening_s > 0
    const frames_per_ms = is_enough ? frame_count / (listening_s * 1_000) : undefined
    const wait_ms = is_new ? 0 : endedWait(before, frame_count, silent_ms, at_ms)
    return { frame_count, at_ms, silent_ms, frames_per_ms, wait_ms }
  }
  const passed_ms = at_ms - before.at_ms
  if (passed_ms <= 0) return before
  const limit_ms = silentLimit(before)
  // Only waits that ended are learnt from, or a long silence would count as normal.
  if (frame_count === before.frame_count && silent_ms > limit_ms) {
    return { ...before, at_ms, silent_ms }
  }
  const wait_ms = Math.min(endedWait(before, frame_count, silent_ms, at_ms), limit_ms)
  const rate = (frame_count - before.frame_count) / passed_ms
  const share = 1 - Math.exp(-passed_ms / RATE_MEMORY_MS)
  return {
    frame_count,
    at_ms,
    silent_ms,
    frames_per_ms: before.frames_per_ms + share * (rate - before.frames_per_ms),
    wait_ms,
  }
}

/** The wait that ended since the last look, or a longer remembered one. */
function endedWait(before: Seen, frame_count: number, silent_ms: number, at_ms: number): number {
  const passed_ms = at_ms - before.at_ms
  const faded_ms = before.wait_ms * Math.exp(-passed_ms / WAIT_MEMORY_MS)
  if (frame_count === before.frame_count) return faded_ms
  // If exactly one frame arrived, its time is known, and so is the wait before it.
  const is_single = frame_count === before.frame_count + 1
  const last_wait_ms = before.silent_ms + (is_single ? Math.max(0, passed_ms - silent_ms) : 0)
  return Math.max(faded_ms, last_wait_ms)
}

function silentLimit({ frames_per_ms, wait_ms }: Seen): number {
  if (frames_per_ms === undefined) return Infinity
  return Math.max(SILENT_MS_MIN, SILENT_MEANS / frames_per_ms, SILENT_WAITS * wait_ms)
}

function paceOf({ refusal, is_heard, silent_ms }: StreamView, one: Seen): Pace {
  if (refusal !== null) return 'refused'
  if (!is_heard) return 'unheard'
  const { frames_per_ms, wait_ms } = one
  if (frames_per_ms === undefined || silent_ms === null) return 'new'
  if (silent_ms > silentLimit(one)) return 'silent'
  const late_ms = Math.max(LATE_MS_MIN, LATE_MEANS / frames_per_ms, LATE_WAITS * wait_ms)
  return silent_ms > late_ms ? 'late' : 'ok'
}
