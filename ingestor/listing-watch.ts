/**
 * When the exchange's listing is read again: every so often, and soon after the exchange says
 * that it changed. What a reading does is the caller's business.
 */
import { describeError } from '#core/errors.ts'
import type { Logger } from '#core/node/log.ts'
import type { Timers } from './transport/timers.ts'

export interface ListingWatchOptions {
  readonly interval_ms: number
  readonly timers: Timers
  readonly log: Logger
  read(): Promise<void>
}

export interface ListingWatch {
  /** The exchange says that its listing changed. */
  noteNews(): void
  stop(): void
}

/** Several sockets say the same, and the REST side may know a moment later. */
const NEWS_DELAY_MS = 2_000
/** News come in bursts: so long after a reading they wait. */
const PAUSE_MS = 10_000
/** After a reading that failed. */
const RETRY_MS = 60_000

export function watchListing(options: ListingWatchOptions): ListingWatch {
  const { interval_ms, timers, log } = options
  let cancel: (() => void) | undefined
  let due_ms = Number.POSITIVE_INFINITY
  let earliest_ms = Number.NEGATIVE_INFINITY
  let is_reading = false
  let is_stopped = false

  /** The earlier of two wishes stands. */
  const readIn = (delay_ms: number): void => {
    const now_ms = timers.now_ms()
    const at_ms = Math.max(now_ms + delay_ms, earliest_ms)
    if (is_stopped || at_ms >= due_ms) return
    cancel?.()
    due_ms = at_ms
    cancel = timers.after(at_ms - now_ms, () => void read())
  }
  const read = async (): Promise<void> => {
    due_ms = Number.POSITIVE_INFINITY
    // News during a reading may be newer than its answer: they are read once it is done.
    if (is_reading) return readIn(PAUSE_MS)
    is_reading = true
    let next_ms = interval_ms
    try {
      await options.read()
    } catch (error) {
      if (is_stopped) return
      next_ms = Math.min(RETRY_MS, interval_ms)
      const facts = { code: 'listing_failed', error: describeError(error) }
      log.warn(facts, 'The listing could not be read again; what it said before stands.')
    } finally {
      is_reading = false
    }
    earliest_ms = timers.now_ms() + PAUSE_MS
    readIn(next_ms)
  }

  readIn(interval_ms)
  return {
    noteNews: () => readIn(NEWS_DELAY_MS),
    stop() {
      is_stopped = true
      cancel?.()
    },
  }
}
