/**
 * Rows of one symbol's mark price. The tape alone decides two questions.
 *
 * To what does a change apply? To the last price from the same socket. Every socket begins with a
 * complete price, and mixing a lagging socket with another would combine two times. For an unknown
 * socket (reading resumed in the middle of the tape) it applies to the newest row up to the
 * change's time.
 *
 * What is the row's time? The key is the time in milliseconds, and an exchange may send two prices
 * in one millisecond. Each further price with other values gets one microsecond more than the one
 * before, in order of first arrival. A price with the same values, from any socket, gets the time
 * of the existing row. See decision 22.
 *
 * After a restart the newest rows are read back (resume.ts), so a tape read in two parts gives the
 * same rows as one read at once.
 */
import type { MarkPrice, MarkPriceChange } from '#core/market.ts'
import { micros } from '#core/time.ts'

const MILLI_US = 1_000
/** Three seconds of the fastest stream: a socket that lags less has its rows recognized. */
export const ROWS_MAX = 32
/** The socket, its successor, and an abandoned one. */
const SOCKETS_MAX = 3

export class MarkPrices {
  /** The newest rows in order of arrival, not of time. */
  readonly #rows: MarkPrice[] = []
  readonly #by_connection = new Map<number, MarkPrice>()

  /** Adds a stored row. Call in order of time. */
  restore(row: MarkPrice): void {
    this.#add(row)
  }

  /** The event's row; undefined for a change without a known price. */
  take(event: MarkPrice | MarkPriceChange, connection: number): MarkPrice | undefined {
    const whole = this.#whole(event, connection)
    if (whole === undefined) return undefined
    this.#by_connection.delete(connection)
    this.#by_connection.set(connection, whole)
    if (this.#by_connection.size > SOCKETS_MAX) {
      this.#by_connection.delete(this.#by_connection.keys().next().value!)
    }
    const of_its_ms = this.#rows.filter((row) => msOf(row) === msOf(whole))
    const same = of_its_ms.find((row) => hasSameValues(row, whole))
    const newer_us = Math.min(of_its_ms.length, MILLI_US - 1)
    const ts_exchange = same?.ts_exchange ?? micros(whole.ts_exchange + newer_us)
    const row = ts_exchange === whole.ts_exchange ? whole : { ...whole, ts_exchange }
    if (same === undefined) this.#add(row)
    return row
  }

  #whole(event: MarkPrice | MarkPriceChange, connection: number): MarkPrice | undefined {
    if (event.kind === 'mark_price') return event
    const before = this.#by_connection.get(connection) ?? this.#newestUpTo(msOf(event))
    if (before === undefined) return undefined
    const { changed, exchange, symbol, ts_exchange, ts_ingest } = event
    return { ...before, ...changed, exchange, symbol, ts_exchange, ts_ingest }
  }

  #add(row: MarkPrice): void {
    this.#rows.push(row)
    if (this.#rows.length > ROWS_MAX) this.#rows.shift()
  }

  #newestUpTo(ms: number): MarkPrice | undefined {
    let newest: MarkPrice | undefined
    for (const row of this.#rows) {
      if (msOf(row) > ms) continue
      if (newest === undefined || row.ts_exchange >= newest.ts_exchange) newest = row
    }
    return newest
  }
}

function msOf({ ts_exchange }: Pick<MarkPrice, 'ts_exchange'>): number {
  return Math.floor(ts_exchange / MILLI_US)
}

function hasSameValues(a: MarkPrice, b: MarkPrice): boolean {
  return (
    a.mark_price === b.mark_price &&
    a.index_price === b.index_price &&
    a.settle_price === b.settle_price &&
    a.funding_rate === b.funding_rate &&
    a.next_funding_at === b.next_funding_at
  )
}
