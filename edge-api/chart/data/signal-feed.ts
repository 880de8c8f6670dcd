/**
 * New signals of one instrument, as they are added. It has a connection of its own: signals come
 * from Postgres, and trades must not wait for it.
 */
import { LiveError, openLive } from '../../client/live.ts'
import { readToken } from '../view/token.ts'
import { BEGIN_ANEW } from './feed.ts'
import type { Instrument } from './instrument.ts'
import { type Signal, signalOf } from './signals.ts'

export class SignalFeed {
  readonly #stop = new AbortController()
  /** Signals that are added from now on arrive; or none will. */
  is_settled = false

  constructor(instrument: Instrument, onSignal: (signal: Signal) => void) {
    void this.#run(instrument, onSignal)
  }

  close(): void {
    this.#stop.abort()
  }

  async #run({ exchange, symbol }: Instrument, onSignal: (signal: Signal) => void): Promise<void> {
    const { signal } = this.#stop
    const token = readToken()
    while (!signal.aborted) {
      try {
        const live = openLive({
          url: location.origin,
          ...(token === undefined ? {} : { token }),
          channels: ['signals'],
          symbols: [symbol],
          exchange,
          signal,
          onConnection: () => (this.is_settled = true),
        })
        for await (const message of live) {
          if (message.type !== 'rows') continue
          for (const row of message.rows) onSignal(signalOf(row))
        }
      } catch (error) {
        this.is_settled = true
        if (!(error instanceof LiveError)) throw error
        // Without the stream, marks are those of the API.
        if (!BEGIN_ANEW.has(error.code)) return
      }
    }
  }
}
