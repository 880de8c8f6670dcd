/** What the transport knows about one stream, across all sockets that have carried it. */
import type { Micros } from '#core/time.ts'
import type { Stream } from '../exchanges/adapter.ts'
import { createPulse, type Pulse } from './silence.ts'

export interface SocketStream {
  readonly stream: Stream
  readonly pulse: Pulse
  /** Its market has sessions, so it is silent between them and nothing is wrong. */
  may_rest: boolean
  frame_count: number
  last_frame_at: Micros | undefined
  /**
   * An open socket carries it: acknowledged or delivering. onLost is called when it turns false.
   */
  is_covered: boolean
  /** Acknowledged but silent. Only a frame ends this, not another acknowledgement. */
  is_silent: boolean
  /** The exchange's answer if it refused the subscription. */
  refusal: string | undefined
}

export function createSocketStream(stream: Stream, may_rest = false): SocketStream {
  return {
    stream,
    pulse: createPulse(),
    may_rest,
    frame_count: 0,
    last_frame_at: undefined,
    is_covered: false,
    is_silent: false,
    refusal: undefined,
  }
}

/** Its silence alone means nothing, however often it delivered before. */
export function mayBeQuiet({ stream, may_rest }: SocketStream): boolean {
  return stream.is_rare === true || may_rest
}
