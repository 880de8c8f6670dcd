/** What the transport knows of one stream, over all the sockets that ever carried it. */
import type { Micros } from '#core/time.ts'
import type { Stream } from '../exchanges/adapter.ts'
import { createPulse, type Pulse } from './silence.ts'

export interface StreamState {
  readonly stream: Stream
  readonly pulse: Pulse
  /** Its market has sessions: between them it is silent, and nothing is wrong. */
  may_rest: boolean
  frame_count: number
  last_frame_at: Micros | undefined
  /** An open socket carries it: acknowledged there, or delivering. False is told once: onDeaf. */
  is_covered: boolean
  /** Was acknowledged and fell silent: only a frame, not another acknowledgement, ends that. */
  is_silent: boolean
  /** What the exchange answered instead of an acknowledgement. */
  refusal: string | undefined
}

export function createStreamState(stream: Stream, may_rest = false): StreamState {
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

/** Its silence alone says nothing, however often it spoke before. */
export function mayBeQuiet({ stream, may_rest }: StreamState): boolean {
  return stream.is_rare === true || may_rest
}
