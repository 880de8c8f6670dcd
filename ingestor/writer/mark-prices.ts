/**
 * Rows of one symbol's mark price. Two questions are decided here, from the tape alone:
 *
 * What is a change a change of? Of what its own socket brought before: a socket begins with a whole
 * one, and one that lags behind another would mix two moments. A socket that is not known (the tape
 * is read on from here) goes on from the newest row up to the change's own time.
 *
 * Which time has a row? The identity is the time, in milliseconds, and an exchange may say two
 * prices of one. Each further one that says something else gets a microsecond more than the one
 * before, in the order in which they came first; one that says the same, from whatever socket, has
 * the time of its row. See decision 22.
 *
 * After a restart the newest rows are read back (resume.ts), so a tape that is read in two parts
 * gives the rows of one that is read at once.
 */
import type { MarkPrice, MarkPriceChange } from '#core/market.ts'
import { micros } from '#core/time.ts'

const MILLI_US = 1_000
/** Three seconds of the fastest stream: how far a socket may lag and its rows be recognized. */
export const ROWS_MAX = 32
/** The socket, its successor, and one that was given up. */
const SOCKETS_MAX = 3

export class MarkPrices {
  /** The last ones that came as new, not in the order of their times. */
  readonly #rows: MarkPrice[] = []
  readonly #by_connection = new Map<number, MarkPrice>()

  /** A row that is stored; in the order of their times. */
  restore(row: MarkPrice): void {
    this.#add(row)
  }

  /** The event's row; undefined for a change of what is not known. */
  take(event: MarkPrice | MarkPriceChange, connection: number): MarkPrice | undefined {
    const whole = this.#whole(event, connection)
    if (whole === undefined) return undefined
    this.#by_connection.delete(connection)
    this.#by_connection.set(connection, whole)
    if (this.#by_connection.size > SOCKETS_MAX) {
      this.#by_connection.delete(this.#by_connection.keys().next().value!)
    }
    const of_its_ms = this.#rows.filter((row) => msOf(row) === msOf(whole))
    const same = of_its_ms.find((row) => saysTheSame(row, whole))
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

function saysTheSame(a: MarkPrice, b: MarkPrice): boolean {
  return (
    a.mark_price === b.mark_price &&
    a.index_price === b.index_price &&
    a.settle_price === b.settle_price &&
    a.funding_rate === b.funding_rate &&
    a.next_funding_at === b.next_funding_at
  )
}
