/**
 * Which streams are subscribed, and what pauses that: one transport, the marks on the tape at which
 * streams begin and end, and the reasons for a pause. Everything except `begin` happens in one turn
 * of the event loop, so no frame comes between a change and its mark.
 */
import type { StreamChoice } from './exchanges/adapter.ts'
import { type Mark, namesOf, type SymbolChannel } from './tape/record.ts'
import type { StreamChange, Transport, TransportStatus } from './transport/transport.ts'

/** Why every socket is closed. */
export type Hold = 'operator' | 'tape_full'

export interface ListeningOptions {
  createTransport(symbols: readonly string[], choice: StreamChoice): Transport
  /** Streams are lost until their next frame. The tape and repair must know. */
  markLost(mark: Extract<Mark, { kind: 'started' | 'deaf' }>): void
  takeMark(mark: Mark): void
}

export interface Listening {
  /** Has no socket and no stream before `begin`. */
  status(): TransportStatus
  readonly holds: ReadonlySet<Hold>
  /**
   * Call once. `listed`: every symbol that the exchange trades now. Resolves once every
   * subscription was acknowledged, or at once if the operator holds recording.
   */
  begin(symbols: readonly string[], choice: StreamChoice, listed: readonly string[]): Promise<void>
  /** Returns what `setStreams` would change. Call after `begin`. */
  compare(symbols: readonly string[], choice: StreamChoice): StreamChange
  /** `cause`: why streams are removed. Streams that stay are not touched. */
  setStreams(
    symbols: readonly string[],
    choice: StreamChoice,
    cause: 'operator' | 'delisted',
  ): StreamChange
  /** Closes every socket until the last hold is released. */
  hold(why: Hold): void
  release(why: Hold): void
  stop(): Promise<void>
}

const NOTHING: TransportStatus = { state: 'stopped', sockets: [], streams: [] }

export function createListening(options: ListeningOptions): Listening {
  const holds = new Set<Hold>()
  let transport: Transport | undefined
  let is_started = false
  let ready: Promise<void> = Promise.resolve()

  const begun = (): Transport => {
    if (transport === undefined) throw new TypeError('begin() was not called.')
    return transport
  }
  const allNames = (): readonly SymbolChannel[] => namesOf(transport?.status().streams ?? [])
  /** Connects, unless there is a hold. */
  const listen = (): void => {
    if (holds.has('operator')) return
    if (is_started) {
      if (holds.size === 0) transport?.resume()
      return
    }
    is_started = true
    ready = begun().start()
    // Only begin() awaits it. A later start has no one to handle its rejection.
    ready.catch(() => undefined)
    // The tape may have filled up while there was no transport to pause.
    if (holds.has('tape_full')) transport?.pause('tape_full')
  }
  return {
    holds,
    status: () => transport?.status() ?? NOTHING,
    async begin(symbols, choice, listed) {
      transport = options.createTransport(symbols, choice)
      const streams = holds.has('operator') ? [] : allNames()
      options.markLost({ kind: 'started', is_whole: true, listed, streams })
      listen()
      await ready
    },
    compare: (symbols, choice) => begun().compare(symbols, choice),
    setStreams(symbols, choice, cause) {
      const change = begun().setStreams(symbols, choice)
      const kept = new Set(change.kept.map(keyOf))
      const ended = namesOf(change.removed).filter((name) => !kept.has(keyOf(name)))
      const begins = namesOf(change.added).filter((name) => !kept.has(keyOf(name)))
      if (ended.length > 0) {
        const why = cause === 'operator' ? { cause } : {}
        options.takeMark({ kind: 'ended', ...why, streams: ended })
      }
      if (begins.length > 0 && !holds.has('operator')) {
        options.markLost({ kind: 'started', streams: begins })
      }
      return change
    },
    hold(why) {
      if (holds.has(why)) return
      holds.add(why)
      transport?.pause(why)
      const streams = why === 'operator' ? allNames() : []
      if (streams.length > 0) options.takeMark({ kind: 'ended', cause: 'operator', streams })
    },
    release(why) {
      if (!holds.delete(why) || transport === undefined) return
      const streams = why === 'operator' ? allNames() : []
      if (streams.length > 0) options.markLost({ kind: 'started', streams })
      listen()
    },
    async stop() {
      await transport?.stop()
    },
  }
}

function keyOf({ symbol, channel }: SymbolChannel): string {
  return `${channel} ${symbol}`
}
