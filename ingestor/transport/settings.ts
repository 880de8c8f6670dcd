/** Timeouts of the transport: how long it waits before it acts. */

export interface TransportSettings {
  /** How often sockets and streams are checked. */
  readonly tick_ms: number
  readonly connect_timeout_ms: number
  /** A request (SUBSCRIBE, UNSUBSCRIBE) unanswered for longer ends its socket. */
  readonly ack_timeout_ms: number
  /** Pause before a refused stream is requested again; it doubles up to the maximum. */
  readonly refused_ms_min: number
  readonly refused_ms_max: number
  /** Ping after this long without traffic. Without an answer the socket is dead. */
  readonly idle_ping_ms: number
  readonly pong_timeout_ms: number
  /** Delay before the n-th reconnect: random up to base * 2^n, at most cap ("full jitter"). */
  readonly backoff_base_ms: number
  readonly backoff_cap_ms: number
  /** A socket that lived this long was healthy: the back-off starts from scratch. */
  readonly healthy_after_ms: number
  /**
   * In a renewal, a stream that delivered on the old socket within this time must deliver on the
   * new one.
   */
  readonly alive_window_ms: number
  /**
   * How long the new socket may take to deliver every active stream; then it is dropped and another
   * is tried later. Also how long the old socket may take to catch up with the new one's first
   * events.
   */
  readonly renewal_overlap_ms_max: number
  /** See silence.ts for the meaning of these. */
  readonly rate_memory_ms: number
  readonly silence_ms_min: number
  readonly missing_frames_min: number
  readonly first_frame_ms: number
  readonly first_frame_ms_of_few: number
  readonly first_frame_ms_of_rare: number
}

export const DEFAULT_SETTINGS: TransportSettings = {
  tick_ms: 1_000,
  connect_timeout_ms: 10_000,
  ack_timeout_ms: 10_000,
  refused_ms_min: 60_000,
  refused_ms_max: 3_600_000,
  idle_ping_ms: 15_000,
  pong_timeout_ms: 10_000,
  backoff_base_ms: 500,
  backoff_cap_ms: 30_000,
  healthy_after_ms: 60_000,
  alive_window_ms: 30_000,
  renewal_overlap_ms_max: 60_000,
  rate_memory_ms: 300_000,
  silence_ms_min: 15_000,
  missing_frames_min: 50,
  first_frame_ms: 60_000,
  first_frame_ms_of_few: 300_000,
  first_frame_ms_of_rare: 3_600_000,
}

/** Multiplies every wait for the exchange by `factor`. The check interval stays the same. */
export function patientSettings(factor: number): TransportSettings {
  const times = (usual_ms: number): number => usual_ms * factor
  return {
    ...DEFAULT_SETTINGS,
    connect_timeout_ms: times(DEFAULT_SETTINGS.connect_timeout_ms),
    ack_timeout_ms: times(DEFAULT_SETTINGS.ack_timeout_ms),
    pong_timeout_ms: times(DEFAULT_SETTINGS.pong_timeout_ms),
    renewal_overlap_ms_max: times(DEFAULT_SETTINGS.renewal_overlap_ms_max),
    silence_ms_min: times(DEFAULT_SETTINGS.silence_ms_min),
    missing_frames_min: times(DEFAULT_SETTINGS.missing_frames_min),
    first_frame_ms: times(DEFAULT_SETTINGS.first_frame_ms),
    first_frame_ms_of_few: times(DEFAULT_SETTINGS.first_frame_ms_of_few),
    first_frame_ms_of_rare: times(DEFAULT_SETTINGS.first_frame_ms_of_rare),
  }
}
