/**
 * Footprint bars as the cluster engine changes them, also by trades that no trade stream has, such
 * as refilled ones. It has a connection of its own: bars come from the engine, and trades must not
 * wait for it.
 */
import { type ClusterRow, LiveError, openLive } from '../../client/live.ts'
import type { Interval } from '../view/view.ts'
import { readToken } from '../view/token.ts'
import { BEGIN_ANEW } from './feed.ts'
import type { Instrument } from './instrument.ts'

export interface BarFeedOptions {
  readonly instrument: Instrument
  readonly interval: Interval
  /** Ticks; 0: automatic. */
  readonly bin: number
  /** Changes of an open bar by less are not sent [base asset]. */
  readonly threshold: number
  readonly signal: AbortSignal
  onBars(rows: readonly ClusterRow[]): void
  /** Bars that changed before may have been missed. */
  onRestart(): void
}

/** Ends with `signal`, or where the live server has no such channel. */
export async function followBars(options: BarFeedOptions): Promise<void> {
  const { instrument, interval, bin, threshold, signal } = options
  const token = readToken()
  let was_lost = false
  while (!signal.aborted) {
    try {
      const live = openLive({
        url: location.origin,
        ...(token === undefined ? {} : { token }),
        channels: ['clusters'],
        symbols: [instrument.symbol],
        exchange: instrument.exchange,
        clusters: { interval, bin: bin === 0 ? 'auto' : bin, threshold },
        signal,
        // The stream goes on with open bars; final ones may have changed meanwhile too.
        onConnection: (is_open) => {
          if (is_open && was_lost) options.onRestart()
          was_lost ||= !is_open
        },
      })
      for await (const message of live) if (message.type === 'rows') options.onBars(message.rows)
    } catch (error) {
      if (!(error instanceof LiveError)) throw error
      // Without the channel, late trades are seen when the bars are requested again.
      if (!BEGIN_ANEW.has(error.code)) return
      was_lost = true
    }
  }
}
