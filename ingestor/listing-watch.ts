/**
 * Schedules reads of the exchange's listing: at intervals, and soon after the exchange announces a
 * change. The caller does the read.
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
  /** The exchange announced that its listing changed. */
  noteNews(): void
  stop(): void
}

/** Several sockets announce the same change, and REST may lag a little. */
const NEWS_DELAY_MS = 2_000
/** Minimum pause between two reads, because announcements come in bursts. */
const PAUSE_MS = 10_000
/** Pause after a failed read. */
const RETRY_MS = 60_000

export function watchListing(options: ListingWatchOptions): ListingWatch {
  const { interval_ms, timers, log } = options
  let cancel: (() => void) | undefined
  let due_ms = Number.POSITIVE_INFINITY
  let earliest_ms = Number.NEGATIVE_INFINITY
  let is_reading = false
  let is_stopped = false

  /** Of two wishes the earlier is kept. */
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
    // An announcement during a read may be newer than its answer, so read again afterwards.
    if (is_reading) return readIn(PAUSE_MS)
    is_reading = true
    let next_ms = interval_ms
    try {
      await options.read()
    } catch (error) {
      if (is_stopped) return
      next_ms = Math.min(RETRY_MS, interval_ms)
      const facts = { code: 'listing_failed', error: describeError(error) }
      log.warn(facts, 'Reading the listing failed; keeping the previous one.')
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
