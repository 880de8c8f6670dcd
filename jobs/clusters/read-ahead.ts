/**
 * Computes ahead of a reader who goes back in time page after page: the first page of a UTC day
 * needs all the minutes of the day before it, for the running delta, and they may not be stored.
 */
import { describeError } from '#core/errors.ts'
import type { Logger } from '#core/node/log.ts'
import type { Pool } from '#core/node/pool.ts'
import { DAY_US, HOUR_US, type Micros, micros } from '#core/time.ts'
import { selectDataHours } from './data-hours.ts'
import type { RecordedSymbol } from './instruments.ts'
import { settledState } from './state.ts'
import type { SyncManager } from './sync.ts'

export interface ReadAheadOptions {
  readonly pool: Pool
  readonly sync: SyncManager
  readonly log: Logger
}

export interface PageSpan {
  readonly from: Micros
  readonly to: Micros
  /** What its bars looked back. */
  readonly lookback_us: number
}

export interface ReadAhead {
  /** Reading ahead begins if the page goes on, back in time, from one that was noted before. */
  note(symbol: RecordedSymbol, page: PageSpan): void
  stop(): Promise<void>
}

/** So many pages are computed before they are asked for, and the rest of their first day. */
const PAGES = 6
const SPAN_MAX_US = 4 * DAY_US
/** Symbols that are read ahead at once; further ones are computed when they are asked for. */
const SYMBOLS_MAX = 4
/** Readers that are remembered, one for each symbol. */
const READERS_MAX = 1_000

export function createReadAhead({ pool, sync, log }: ReadAheadOptions): ReadAhead {
  /** Starts of the earliest pages, by symbol, in order of use. */
  const readers = new Map<number, Micros>()
  const running = new Map<number, Promise<void>>()
  let is_stopped = false

  const compute = async (symbol: RecordedSymbol, from: Micros, to: Micros): Promise<void> => {
    const state = await settledState(pool, symbol.symbol_id, from, to)
    const hours = await selectDataHours(pool, symbol.exchange, from, to)
    // One at a time: callers who wait come first.
    for (const hour of hours.toReversed()) {
      if (is_stopped) return
      await sync.summaries(symbol, state, hour, micros(hour + HOUR_US))
    }
  }

  return {
    note(symbol, page) {
      const { symbol_id } = symbol
      const before = readers.get(symbol_id)
      readers.delete(symbol_id)
      readers.set(symbol_id, page.from)
      if (readers.size > READERS_MAX) readers.delete(readers.keys().next().value!)
      if (before === undefined || !goesBack(page, before)) return
      if (is_stopped || running.has(symbol_id) || running.size >= SYMBOLS_MAX) return
      const work = compute(symbol, startOf(page), page.from)
        // A caller of the range gets the error, if it is still one.
        .catch((error: unknown) => {
          log.debug({ code: 'read_ahead_failed', error: describeError(error) }, 'Not read ahead.')
        })
        .finally(() => running.delete(symbol_id))
      running.set(symbol_id, work)
    },
    async stop() {
      is_stopped = true
      await Promise.all(running.values())
    },
  }
}

function goesBack({ from, to }: PageSpan, before: Micros): boolean {
  return from < before && to >= before - (to - from)
}

function startOf({ from, to, lookback_us }: PageSpan): Micros {
  const ahead = from - Math.min(PAGES * (to - from), SPAN_MAX_US)
  const day = Math.floor(ahead / DAY_US) * DAY_US
  return micros(Math.max(0, Math.min(day, ahead - lookback_us)))
}
