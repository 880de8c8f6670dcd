/** A lane's socket with its age, and whether another socket may replace it. */
import type { Link } from './link.ts'
import type { SocketStream } from './socket-stream.ts'

export interface Carrier {
  readonly link: Link
  readonly renew_at_ms: number
  age_ms: number
  /** Time since every subscription on it was acknowledged. */
  ready_ms: number
}

export interface SocketStatus {
  readonly connection: number
  readonly url: string
  readonly state: 'connecting' | 'subscribing' | 'ready'
  readonly role: 'current' | 'successor'
  readonly stream_count: number
  readonly age_s: number
}

export function socketStatus(
  { link, age_ms }: Carrier,
  url: string,
  role: SocketStatus['role'],
): SocketStatus {
  return {
    connection: link.connection,
    url,
    state: link.is_ready ? 'ready' : link.is_open ? 'subscribing' : 'connecting',
    role,
    stream_count: link.streams.size,
    age_s: Math.floor(age_ms / 1_000),
  }
}

/** The streams that prevent closing the old socket. */
export interface Unproven {
  /** Deliver on the old socket and have not delivered on the new one. */
  readonly missing: readonly SocketStream[]
  /**
   * Delivered on the new socket, but the old one lags: it has not reached the new one's first
   * event. Closing it now would lose what lies in between.
   */
  readonly lagging: readonly SocketStream[]
}

/**
 * Compares the two sockets of a replacement. A stream that fell silent, or was quiet for
 * `alive_window_ms`, proves nothing, so nothing waits for it.
 */
export function compareSockets(old: Link, successor: Link, alive_window_ms: number): Unproven {
  const missing: SocketStream[] = []
  const lagging: SocketStream[] = []
  for (const [name, { state, frame_count, last_id }] of old.streams) {
    const heard = successor.streams.get(name)
    if (heard === undefined || state.is_silent) continue
    const is_alive = frame_count > 0 && state.pulse.silent_ms < alive_window_ms
    if (is_alive && heard.frame_count === 0) missing.push(state)
    if (heard.first_id !== undefined && (last_id ?? -1) < heard.first_id) lagging.push(state)
  }
  return { missing, lagging }
}
