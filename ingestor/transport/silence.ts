/**
 * Decides when silence is an alarm. Pure: time arrives as elapsed milliseconds.
 *
 * An exchange may acknowledge a subscription and never deliver it. So every socket is watched on
 * two levels: each stream, and each class of streams (all streams of one channel).
 *
 * 1. Missing frames. The rate of a stream or class is an exponential mean over `rate_memory_ms`.
 *    Silence is an alarm when it lasts `silence_ms_min` and `missing_frames_min` frames are missing
 *    at that rate. The rate decays during the silence, so a stream that delivers less than about
 *    once in two seconds never reaches that number: one quiet tail symbol is not an alarm, a silent
 *    BTC is one after 15 s. Rare events are exempt, because they come in bursts, after which
 *    silence means nothing. Markets with sessions are exempt too, because they may close at any
 *    time; if they share a class with others, the class is watched for them.
 * 2. Nothing at all. A class that has not delivered a single frame on this socket has no rate. Ten
 *    or more streams get `first_frame_ms`, fewer get `first_frame_ms_of_few`. A class of rare
 *    events gets `first_frame_ms_of_rare`; with few streams it has no limit.
 * 3. Cadence. Some streams are known to deliver at least once in so many seconds. They are overdue
 *    after that.
 *
 * Each alarm doubles the patience for its stream or class, and each hour without an alarm halves it
 * again: a market that really is quiet costs a few sockets, not one every minute.
 */
import type { TransportSettings } from './settings.ts'

const PATIENCE_MAX = 64
const PATIENCE_HALVES_IN_MS = 3_600_000
const FEW_STREAMS = 10

export interface Pulse {
  rate_per_ms: number
  silent_ms: number
  /** Has delivered on the watched socket. */
  has_delivered: boolean
  patience: number
}

export function createPulse(): Pulse {
  return { rate_per_ms: 0, silent_ms: 0, has_delivered: false, patience: 1 }
}

/** Starts watching a new socket. Rate and patience are kept. */
export function restartPulse(pulse: Pulse): void {
  pulse.silent_ms = 0
  pulse.has_delivered = false
}

export function beat(
  pulse: Pulse,
  frame_count: number,
  elapsed_ms: number,
  settings: TransportSettings,
): void {
  if (elapsed_ms <= 0) return
  const weight = 1 - Math.exp(-elapsed_ms / settings.rate_memory_ms)
  pulse.rate_per_ms += weight * (frame_count / elapsed_ms - pulse.rate_per_ms)
  pulse.silent_ms = frame_count > 0 ? 0 : pulse.silent_ms + elapsed_ms
  pulse.has_delivered ||= frame_count > 0
  pulse.patience = Math.max(1, pulse.patience * 0.5 ** (elapsed_ms / PATIENCE_HALVES_IN_MS))
}

/** Rule 1. */
export function missesFrames(pulse: Pulse, is_rare: boolean, settings: TransportSettings): boolean {
  if (is_rare) return false
  const missing_frames = pulse.rate_per_ms * pulse.silent_ms
  return (
    pulse.silent_ms >= settings.silence_ms_min * pulse.patience &&
    missing_frames >= settings.missing_frames_min * pulse.patience
  )
}

/** Rule 2, for a class of `stream_count` streams. */
export function neverSpoke(
  pulse: Pulse,
  stream_count: number,
  is_rare: boolean,
  settings: TransportSettings,
): boolean {
  if (is_rare && stream_count < FEW_STREAMS) return false
  const usual_ms =
    stream_count >= FEW_STREAMS ? settings.first_frame_ms : settings.first_frame_ms_of_few
  const limit_ms = is_rare ? settings.first_frame_ms_of_rare : usual_ms
  return !pulse.has_delivered && pulse.silent_ms >= limit_ms * pulse.patience
}

/** Rule 3. A stream without a cadence is never overdue. */
export function isOverdue(pulse: Pulse, silence_s_max: number | undefined): boolean {
  return silence_s_max !== undefined && pulse.silent_ms >= silence_s_max * 1_000 * pulse.patience
}

export function noteAlarm(pulse: Pulse): void {
  pulse.silent_ms = 0
  pulse.patience = Math.min(PATIENCE_MAX, pulse.patience * 2)
}
