/**
 * The streams that the exchange refused on one socket, and when each is requested again: after
 * `refused_ms_min`, then after twice as long each time, up to `refused_ms_max`. Pure: time arrives
 * as elapsed milliseconds.
 */
import type { TransportSettings } from './settings.ts'
import type { SocketStream } from './socket-stream.ts'

type Pauses = Pick<TransportSettings, 'refused_ms_min' | 'refused_ms_max'>

export interface RefusedStreams {
  note(state: SocketStream): void
  /** The stream was acknowledged or is no longer wanted. */
  forget(name: string): void
  /** Returns the streams to request now. */
  due(elapsed_ms: number): readonly SocketStream[]
}

interface Refused {
  readonly state: SocketStream
  readonly pause_ms: number
  /** Negative: it was requested again, and the answer is not known yet. */
  wait_ms: number
}

export function createRefusedStreams({ refused_ms_min, refused_ms_max }: Pauses): RefusedStreams {
  const refused = new Map<string, Refused>()
  return {
    note(state) {
      const { name } = state.stream
      const before = refused.get(name)?.pause_ms
      const pause_ms = before === undefined ? refused_ms_min : Math.min(2 * before, refused_ms_max)
      refused.set(name, { state, pause_ms, wait_ms: pause_ms })
    },
    forget: (name) => void refused.delete(name),
    due(elapsed_ms) {
      const due = [...refused.values()].filter((one) => {
        const was_waiting = one.wait_ms > 0
        one.wait_ms -= elapsed_ms
        return was_waiting && one.wait_ms <= 0
      })
      return due.map(({ state }) => state)
    },
  }
}
