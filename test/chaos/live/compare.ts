/** What readers got against the tables, after all of them have everything up to some time. */
import { setTimeout as sleep } from 'node:timers/promises'
import type { Pool } from '#core/node/pool.ts'
import type { SoakClient } from './soak-client.ts'
import type { SoakStream } from './soak-stream.ts'

/** Rows of a stream in the order in which they were received. */
interface TableRows {
  readonly stamps: readonly number[]
  readonly ids: readonly number[]
}

const SOURCES: Readonly<Record<string, { readonly from: string; readonly id: string }>> = {
  trades: { from: 'marketdata.trades', id: 'agg_trade_id' },
  book: {
    from: "(select * from marketdata.depth_events where depth_kind = 'diff')",
    id: 'final_update_id',
  },
}

/** Waits until everything that was received up to now is committed. Returns that time [us]. */
export async function untilCommitted(pool: Pool): Promise<number> {
  const until = Date.now() * 1_000
  for (;;) {
    const { rows } = await pool.query<{ is_covered: boolean }>(
      `select bool_and(covered_until >= to_timestamp(0) + $1::bigint * interval '1 microsecond')
         as is_covered
       from marketdata.tape_positions`,
      [until],
    )
    if (rows[0]?.is_covered === true) return until
    await sleep(200)
  }
}

export class Tables {
  readonly #pool: Pool
  readonly #rows = new Map<string, TableRows>()

  constructor(pool: Pool) {
    this.#pool = pool
  }

  /**
   * Waits until each reader has every row that was received up to `until`, and knows its books.
   * Returns who has not.
   */
  async untilDelivered(
    clients: readonly SoakClient[],
    until: number,
    limit_ms: number,
  ): Promise<readonly string[]> {
    const newest = new Map<string, number>()
    for (const stream of clients.flatMap(({ streams }) => streams)) {
      if (newest.has(stream.name)) continue
      const { stamps } = await this.#rowsOf(stream)
      newest.set(stream.name, stamps.findLast((stamp) => stamp <= until) ?? 0)
    }
    // A reader that began after the newest row has nothing to wait for.
    const isBehind = ({ streams }: SoakClient): boolean =>
      streams.some(({ name, channel, last, book_is_known }) => {
        const is_unknown = channel === 'book' && !book_is_known
        return is_unknown || (last?.seq ?? 0) < newest.get(name)!
      })
    const deadline = performance.now() + limit_ms
    while (clients.some(isBehind) && performance.now() < deadline) await sleep(200)
    this.#rows.clear()
    return clients.filter(isBehind).map(({ streams }) => `${streams[0]!.name}: behind`)
  }

  /** Differences between what a reader got from its first to its last message and the table. */
  async compare({ streams }: SoakClient): Promise<readonly string[]> {
    const wrong: string[] = []
    for (const stream of streams) {
      const { name, first, last, ids, faults } = stream
      wrong.push(...faults.slice(0, 3))
      const { stamps, ids: all } = await this.#rowsOf(stream)
      const table = all.filter((_, at) => stamps[at]! > first!.seq && stamps[at]! <= last!.seq)
      if (table.length === ids.length && table.every((id, at) => id === ids[at])) continue
      const got = new Set(ids)
      const known = new Set(table)
      const missing = table.filter((id) => !got.has(id))
      const extra = ids.filter((id) => !known.has(id))
      const twice = ids.length - got.size
      wrong.push(
        `${name}: ${missing.length} missing (${missing.slice(0, 3).join()}), ` +
          `${extra.length} extra (${extra.slice(0, 3).join()}), ${twice} twice`,
      )
    }
    return wrong
  }

  async #rowsOf({ name, channel, symbol }: SoakStream): Promise<TableRows> {
    const known = this.#rows.get(name)
    if (known !== undefined) return known
    const { from, id } = SOURCES[channel]!
    const { rows } = await this.#pool.query<{ stamp: number; id: number }>(
      `select (extract(epoch from t.ts_ingest) * 1000000)::float8 as stamp, t.${id}::float8 as id
       from ${from} t join marketdata.symbols s on s.id = t.symbol_id and s.symbol = $1
       order by t.ts_ingest, t.ts_exchange, t.${id}`,
      [symbol],
    )
    const found = { stamps: rows.map(({ stamp }) => stamp), ids: rows.map((row) => row.id) }
    this.#rows.set(name, found)
    return found
  }
}

/** Books that were rebuilt from the stream against the API's, which reads the tables. */
export async function compareBooks(
  edge_url: string,
  clients: readonly SoakClient[],
): Promise<readonly string[]> {
  const wrong: string[] = []
  for (const { symbol, book, newest_book_ts, book_is_known } of clients.flatMap((c) => c.streams)) {
    if (!book_is_known || newest_book_ts === undefined) {
      wrong.push(`${symbol}: the book is not known`)
      continue
    }
    const query = new URLSearchParams({ ts: newest_book_ts, depth: '20', max_age_s: '3600' })
    const answer = await fetch(`${edge_url}/v1/book/${symbol}?${query}`)
    const table = (await answer.json()) as { readonly bids: unknown; readonly asks: unknown }
    const own = {
      bids: [...book.bids].toSorted(([a], [b]) => Number(b) - Number(a)).slice(0, 20),
      asks: [...book.asks].toSorted(([a], [b]) => Number(a) - Number(b)).slice(0, 20),
    }
    for (const side of ['bids', 'asks'] as const) {
      if (JSON.stringify(own[side]) !== JSON.stringify(table[side])) {
        wrong.push(`${symbol}: other ${side} than the table's`)
      }
    }
  }
  return wrong
}
