/**
 * The streams of a lane, and what was reported about them.
 *
 * Invariants
 * 1. A stream whose `is_covered` is true is subscribed on, or was delivered by, an open socket.
 * 2. When `is_covered` turns false, onLost has just been called once with the stream. It is also
 *    called when the exchange refuses a stream that no other socket covers.
 */
import type { GapCause } from '#core/market.ts'
import type { Logger } from '#core/node/log.ts'
import type { Micros } from '#core/time.ts'
import type { Link } from './link.ts'
import type { SocketStream } from './socket-stream.ts'

const LOGGED_STREAMS_MAX = 10

export interface CoverageReports {
  /** See TransportOptions. */
  onLost(
    cause: GapCause,
    states: readonly SocketStream[],
    heard_until: Micros | undefined,
    carried_by?: number,
  ): void
  /** Streams of rare events that are subscribed again. */
  onHeard(connection: number, states: readonly SocketStream[]): void
  readonly log: Logger
}

export class Coverage {
  readonly streams = new Map<string, SocketStream>()
  readonly #reports: CoverageReports

  constructor(reports: CoverageReports) {
    this.#reports = reports
  }

  /** The streams that this socket covers. */
  by(link: Link | undefined): readonly SocketStream[] {
    return [...(link?.streams.values() ?? [])]
      .filter(({ is_subscribed, state }) => is_subscribed && state.is_covered)
      .map(({ state }) => state)
  }

  noteSubscribed(connection: number, states: readonly SocketStream[]): void {
    const heard: SocketStream[] = []
    for (const state of states) {
      if (state.refusal !== undefined) {
        const facts = { code: 'stream_accepted', stream: state.stream.name }
        this.#reports.log.info(facts, 'The exchange accepts a stream that it refused before.')
      }
      state.refusal = undefined
      if (state.is_silent || state.is_covered) continue
      state.is_covered = true
      if (state.stream.is_rare === true) heard.push(state)
    }
    if (heard.length > 0) this.#reports.onHeard(connection, heard)
  }

  noteRefused(state: SocketStream, detail: string): void {
    const is_news = state.refusal === undefined
    state.refusal = detail
    if (is_news && !state.is_covered) this.#reports.onLost('refused', [state], undefined)
    const facts = { code: 'stream_refused', stream: state.stream.name, detail }
    if (is_news) {
      this.#reports.log.error(facts, 'The exchange refused a stream; the others continue.')
    } else {
      this.#reports.log.warn(facts, 'The exchange still refuses a stream.')
    }
  }

  noteSilent(states: readonly SocketStream[]): void {
    for (const state of states) state.is_silent = true
    this.#reportLost('silence', states)
  }

  /** Reports the streams that no socket carries any more; `link` is the one that is left. */
  noteUncovered(link: Link | undefined, cause: GapCause, heard_until: Micros | undefined): void {
    const states = [...this.streams.values()].filter(
      (state) => link?.streams.get(state.stream.name)?.is_subscribed !== true,
    )
    this.#reportLost(cause, states, heard_until)
  }

  /** Streams that `connection` carries now, but whose old socket may have ended before. */
  noteDoubtful(
    connection: number,
    states: readonly SocketStream[],
    heard_until: Micros | undefined,
  ): void {
    this.#reports.onLost('disconnect', states, heard_until, connection)
    const rare = states.filter(({ stream }) => stream.is_rare === true)
    if (rare.length > 0) this.#reports.onHeard(connection, rare)
  }

  #reportLost(cause: GapCause, states: readonly SocketStream[], heard_until?: Micros): void {
    const newly_lost = states.filter((state) => state.is_covered)
    for (const state of newly_lost) state.is_covered = false
    if (newly_lost.length > 0) this.#reports.onLost(cause, newly_lost, heard_until)
  }
}

/** For the log: the first names, and how many there are. */
export function namesOf(states: readonly SocketStream[]): Readonly<Record<string, unknown>> {
  const streams = states.slice(0, LOGGED_STREAMS_MAX).map((state) => state.stream.name)
  return { streams, stream_count: states.length }
}
