/** A lane's socket with its age, and the question whether another one may take its place. */
import type { Link } from './link.ts'
import type { StreamState } from './stream-state.ts'

export interface Carrier {
  readonly link: Link
  readonly renew_at_ms: number
  age_ms: number
  /** Since every subscription of it was acknowledged. */
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

/** What stands against closing the old socket. */
export interface Unproven {
  /** Speak on the old socket and have not spoken on the new one. */
  readonly missing: readonly StreamState[]
  /**
   * Spoke on the new one, but the old one, which lags behind, has not come to where the new one
   * began: what lies between would be lost with it.
   */
  readonly lagging: readonly StreamState[]
}

/**
 * Compares the sockets of a replacement. A stream that was quiet for `alive_window_ms`, or that
 * fell silent, proves nothing either way and is not waited for.
 */
export function compareSockets(old: Link, successor: Link, alive_window_ms: number): Unproven {
  const missing: StreamState[] = []
  const lagging: StreamState[] = []
  for (const [name, { state, frame_count, last_id }] of old.streams) {
    const heard = successor.streams.get(name)
    if (heard === undefined || state.is_silent) continue
    const is_alive = frame_count > 0 && state.pulse.silent_ms < alive_window_ms
    if (is_alive && heard.frame_count === 0) missing.push(state)
    if (heard.first_id !== undefined && (last_id ?? -1) < heard.first_id) lagging.push(state)
  }
  return { missing, lagging }
}
