/**
 * Metrics for alerts, computed over all streams so that alerts need no metric per symbol: how long
 * the feed has been silent, how late it is, how long streams have had no socket, and how long books
 * have been out of sequence.
 */
import { type Metrics, one } from '#core/node/metrics.ts'
import type { StreamView } from './view.ts'

/** Older events say nothing about the clock now. */
const RECENT_MS = 60_000
const SAMPLE_MIN = 3

export function addHealth(metrics: Metrics, streams: () => readonly StreamView[]): void {
  const { gauge } = metrics
  const now_ms = (): number => performance.now()
  const [unheard, lost] = [createAgeWatch(now_ms), createAgeWatch(now_ms)]
  const once_in_sequence = new Set<string>()
  gauge(
    {
      name: 'ingestor_feed_silent_seconds',
      help: 'Since the last frame of any stream; absent before the first.',
    },
    () => {
      const silent_ms = silentMs(streams())
      return silent_ms === undefined ? [] : one(silent_ms / 1_000)
    },
  )
  gauge(
    {
      name: 'ingestor_exchange_delay_seconds',
      help:
        "From the exchange's time of an event to its arrival, median of the newest events of all " +
        'streams; negative: our clock is behind.',
    },
    () => {
      const delay_ms = medianDelayMs(streams())
      return delay_ms === undefined ? [] : one(delay_ms / 1_000)
    },
  )
  gauge(
    {
      name: 'ingestor_book_lost_age_seconds_max',
      help: 'Longest time that a book has been out of sequence after being in it, by scrapes.',
    },
    () => {
      const depth = streams().filter(({ is_book_in_sequence: state }) => state !== null)
      for (const book of depth) if (book.is_book_in_sequence) once_in_sequence.add(book.symbol)
      const out = depth.filter(
        ({ symbol, is_book_in_sequence }) => !is_book_in_sequence && once_in_sequence.has(symbol),
      )
      return one(lost.longestMs(out.map(({ symbol }) => symbol)) / 1_000)
    },
  )
  gauge(
    {
      name: 'ingestor_stream_unheard_age_seconds_max',
      help:
        'Of the streams that no open socket carries, those that the exchange refuses left out: ' +
        'longest time since a scrape saw it.',
    },
    () => {
      const out = streams().filter(({ is_heard, refusal }) => !is_heard && refusal === null)
      const names = out.map(({ symbol, channel }) => `${channel} ${symbol}`)
      return one(unheard.longestMs(names) / 1_000)
    },
  )
}

/** Undefined if there are no streams, or none has delivered a frame. */
export function silentMs(streams: readonly StreamView[]): number | undefined {
  const known = streams.flatMap(({ silent_ms }) => (silent_ms === null ? [] : [silent_ms]))
  return known.length === 0 ? undefined : Math.min(...known)
}

export function medianDelayMs(streams: readonly StreamView[]): number | undefined {
  const delays = streams
    .filter(({ silent_ms }) => silent_ms !== null && silent_ms <= RECENT_MS)
    .flatMap(({ delay_ms }) => (delay_ms === null ? [] : [delay_ms]))
    .toSorted((left, right) => left - right)
  return delays.length < SAMPLE_MIN ? undefined : delays[Math.floor(delays.length / 2)]
}

export interface AgeWatch {
  /** `now`: all names in this state. Returns how long the oldest has been in it [ms]. */
  longestMs(now: Iterable<string>): number
}

/** Measures from the first call that contains a name. `now_ms`: any monotonic clock. */
export function createAgeWatch(now_ms: () => number): AgeWatch {
  let since = new Map<string, number>()
  return {
    longestMs(names) {
      const at_ms = now_ms()
      since = new Map([...names].map((name) => [name, since.get(name) ?? at_ms]))
      return Math.max(0, ...[...since.values()].map((began_ms) => at_ms - began_ms))
    },
  }
}
