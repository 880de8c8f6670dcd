/** Checks one socket's streams once a tick and returns those whose silence is an alarm. */
import type { Channel } from '#core/market.ts'
import type { Link } from './link.ts'
import type { TransportSettings } from './settings.ts'
import {
  beat,
  createPulse,
  isOverdue,
  missesFrames,
  neverSpoke,
  noteAlarm,
  restartPulse,
  type Pulse,
} from './silence.ts'
import { mayBeQuiet, type SocketStream } from './socket-stream.ts'

interface StreamClass {
  readonly pulse: Pulse
  readonly states: SocketStream[]
  frame_count: number
}

/** The part of a link that tells how many frames each stream had. */
interface Counting {
  readonly streams: ReadonlyMap<
    string,
    { readonly state: SocketStream; frame_count: number; seen_count: number }
  >
}

export interface Watch {
  /** `link` carries the streams from now on. */
  restart(link: Link): void
  /** Returns the streams that fell silent, alone or with their whole class. */
  look(link: Counting, elapsed_ms: number): readonly SocketStream[]
}

export function createWatch(settings: TransportSettings): Watch {
  const class_pulses = new Map<Channel, Pulse>()
  const pulseOf = (channel: Channel): Pulse => {
    const known = class_pulses.get(channel) ?? createPulse()
    class_pulses.set(channel, known)
    return known
  }
  return {
    restart(link) {
      for (const pulse of class_pulses.values()) restartPulse(pulse)
      for (const entry of link.streams.values()) {
        restartPulse(entry.state.pulse)
        // Frames that it delivered as the successor must not count as a sudden rise of the rate.
        entry.seen_count = entry.frame_count
        if (entry.frame_count === 0) continue
        entry.state.pulse.has_delivered = true
        pulseOf(entry.state.stream.channel).has_delivered = true
      }
    },
    look(link, elapsed_ms) {
      const suspects = new Set<SocketStream>()
      for (const [channel, stream_class] of takeFrames(link, pulseOf)) {
        const { pulse, states, frame_count } = stream_class
        beat(pulse, frame_count, elapsed_ms, settings)
        const is_rare = states.every(mayBeQuiet)
        const never_spoke = neverSpoke(pulse, states.length, is_rare, settings)
        if (!missesFrames(pulse, is_rare, settings) && !never_spoke) continue
        noteAlarm(pulseOf(channel))
        for (const state of states) suspects.add(state)
      }
      for (const entry of link.streams.values()) {
        const { pulse } = entry.state
        beat(pulse, entry.frame_count - entry.seen_count, elapsed_ms, settings)
        entry.seen_count = entry.frame_count
        const misses_frames = missesFrames(pulse, mayBeQuiet(entry.state), settings)
        if (!misses_frames && !isOverdue(pulse, entry.state.stream.silence_s_max)) continue
        noteAlarm(pulse)
        suspects.add(entry.state)
      }
      return [...suspects]
    },
  }
}

/** Groups the socket's streams by class, with the frames since the last check. */
function takeFrames(
  link: Counting,
  pulseOf: (channel: Channel) => Pulse,
): ReadonlyMap<Channel, StreamClass> {
  const classes = new Map<Channel, StreamClass>()
  for (const entry of link.streams.values()) {
    const { channel } = entry.state.stream
    const known = classes.get(channel) ?? { pulse: pulseOf(channel), states: [], frame_count: 0 }
    classes.set(channel, known)
    known.states.push(entry.state)
    known.frame_count += entry.frame_count - entry.seen_count
  }
  return classes
}
