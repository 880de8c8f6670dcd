/**
 * When silence is an alarm. Pure: time comes as elapsed milliseconds.
 *
 * Two things are watched on every socket, because an exchange may acknowledge a subscription and
 * never deliver it: each stream, and each class of streams (all streams of one channel).
 *
 * 1. Missing frames. The rate of a stream or class is remembered as an exponential mean over
 *    `rate_memory_ms`. Silence is an alarm when it lasts `silence_ms_min` and at the remembered
 *    rate `missing_frames_min` frames are missing. The memory fades during the silence, so what
 *    speaks less often than about once in two seconds can never reach that number: a quiet tail
 *    symbol alone is no alarm, a silent BTC is one after 15 s. Rare events are exempt: they come in
 *    cascades, after which silence says nothing. So are markets with sessions, which may close at
 *    any moment; where they share a class with others, the class speaks for the socket.
 * 2. Nothing at all. A class that has not delivered a single frame on this socket has no rate to
 *    go by. Ten streams or more get `first_frame_ms`, fewer get `first_frame_ms_of_few`. A class of
 *    rare events gets `first_frame_ms_of_rare`, and any time where it has few streams.
 * 3. Cadence. A stream that is known to speak at least every so many seconds is overdue when it
 *    has not.
 *
 * Each alarm doubles the patience for its stream or class, and an hour without alarm halves it
 * again: a market that really is quiet costs a few sockets, not one every minute.
 */
import type { TransportSettings } from './settings.ts'

const PATIENCE_MAX = 64
const PATIENCE_HALVES_IN_MS = 3_600_000
const FEW_STREAMS = 10

export interface Pulse {
  rate_per_ms: number
  silent_ms: number
  /** Has delivered on the socket that is watched. */
  has_delivered: boolean
  patience: number
}

export function createPulse(): Pulse {
  return { rate_per_ms: 0, silent_ms: 0, has_delivered: false, patience: 1 }
}

/** A new socket is watched from now on; rate and patience are remembered. */
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
export function missesFrames(
  pulse: Pulse,
  is_rare: boolean,
  settings: TransportSettings,
): boolean {
  if (is_rare) return false
  const missing_frames = pulse.rate_per_ms * pulse.silent_ms
  return (
    pulse.silent_ms >= settings.silence_ms_min * pulse.patience &&
    missing_frames >= settings.missing_frames_min * pulse.patience
  )
}

/** Rule 2, for a class of so many streams. */
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

/** Rule 3; a stream without a cadence is never overdue. */
export function isOverdue(pulse: Pulse, silence_s_max: number | undefined): boolean {
  return silence_s_max !== undefined && pulse.silent_ms >= silence_s_max * 1_000 * pulse.patience
}

export function noteAlarm(pulse: Pulse): void {
  pulse.silent_ms = 0
  pulse.patience = Math.min(PATIENCE_MAX, pulse.patience * 2)
}
