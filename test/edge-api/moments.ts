/** Quotes and trades at awkward times, and what the API must say about them, computed plainly. */
import type { Pool } from '#core/node/pool.ts'
import { HOUR_US, micros, toIso, type Micros } from '#core/time.ts'
import { archiveHour, dropHour } from '../support/archive-hours.ts'
import type { ObjectStore } from '#core/node/object-store.ts'
import { addSymbol } from './support.ts'

export interface Quote {
  readonly ts: Micros
  readonly update_id: number
  readonly best_bid: number
}

export interface Trade {
  readonly ts: Micros
  readonly agg_trade_id: number
}

export interface Market {
  readonly exchange: 'binance-futures' | 'binance-spot'
  readonly symbol: string
  readonly id: number
  /** In order of (ts, update_id). */
  readonly quotes: readonly Quote[]
  readonly trades: readonly Trade[]
}

/** Numbers in [0, 1) from a seed (mulberry32). */
export function seeded(seed: number): () => number {
  let state = seed
  return () => {
    state = (state + 0x6d2b79f5) | 0
    let mixed = Math.imul(state ^ (state >>> 15), 1 | state)
    mixed = (mixed + Math.imul(mixed ^ (mixed >>> 7), 61 | mixed)) ^ mixed
    return ((mixed ^ (mixed >>> 14)) >>> 0) / 4_294_967_296
  }
}

/**
 * A market with events in [from, to). A fifth of the quotes share their time with another one, a
 * third of the trades have the time of a quote, and some lie on the bounds of hours.
 */
export async function addMarket(
  pool: Pool,
  name: Pick<Market, 'exchange' | 'symbol'>,
  range: { readonly from: Micros; readonly to: Micros },
  counts: { readonly quotes: number; readonly trades: number },
  random: () => number,
): Promise<Market> {
  const id = await addSymbol(pool, name.symbol, name.exchange)
  const pick = (): Micros => micros(range.from + Math.floor(random() * (range.to - range.from)))
  const times: Micros[] = []
  for (let i = 0; i < counts.quotes; i++) {
    const is_shared = times.length > 0 && random() < 0.2
    times.push(is_shared ? times[Math.floor(random() * times.length)]! : pick())
  }
  const quotes = times
    .toSorted((a, b) => a - b)
    .map((ts, i): Quote => ({ ts, update_id: 1_000 + i, best_bid: 100 + i }))
  const trades = Array.from({ length: counts.trades }, () => {
    const roll = random()
    if (roll < 0.33 && quotes.length > 0) return quotes[Math.floor(random() * quotes.length)]!.ts
    const ts = pick()
    return roll < 0.4 ? micros(ts - (ts % HOUR_US)) : ts
  })
    .filter((ts) => ts >= range.from)
    .toSorted((a, b) => a - b)
    .map((ts, i): Trade => ({ ts, agg_trade_id: 1 + i }))
  for (let hour = range.from - (range.from % HOUR_US); hour < range.to; hour += HOUR_US) {
    for (const table of ['book_ticker', 'trades']) {
      await pool.query('select marketdata.ensure_hour($1, $2)', [table, toIso(micros(hour))])
    }
  }
  await pool.query(
    `insert into marketdata.book_ticker
       (symbol_id, ts_exchange, ts_ingest, update_id, best_bid, best_ask, bid_qty, ask_qty)
     select $1, ts, ts + interval '5 milliseconds', id, bid, bid + 1, 1, 2
     from unnest($2::timestamptz[], $3::bigint[], $4::float8[]) as q (ts, id, bid)`,
    [
      id,
      quotes.map(({ ts }) => toIso(ts)),
      quotes.map(({ update_id }) => update_id),
      quotes.map(({ best_bid }) => best_bid),
    ],
  )
  await pool.query(
    `insert into marketdata.trades
       (symbol_id, ts_exchange, ts_ingest, agg_trade_id, price, qty, is_buyer_maker)
     select $1, ts, ts, id, 100, 1, true from unnest($2::timestamptz[], $3::bigint[]) as t (ts, id)`,
    [id, trades.map(({ ts }) => toIso(ts)), trades.map(({ agg_trade_id }) => agg_trade_id)],
  )
  return { ...name, id, quotes, trades }
}

/** The newest quote in [from, to). */
export function newestIn({ quotes }: Market, from: number, to: number): Quote | undefined {
  return quotes.findLast(({ ts }) => ts >= from && ts < to)
}

/** The update id of the quote that belongs to the trade; null if there is none. */
export function quoteBefore(market: Market, { ts }: Trade): number | null {
  return newestIn(market, ts - HOUR_US, ts)?.update_id ?? null
}

export async function archiveAndDrop(
  pool: Pool,
  store: ObjectStore,
  table: 'book_ticker' | 'trades',
  hour: Micros,
  exchanges: readonly Market['exchange'][],
): Promise<void> {
  for (const exchange of exchanges) {
    await archiveHour(pool, store, table, toIso(hour), { exchange, group_rows: 50 })
  }
  await dropHour(pool, { table_name: table, hour: toIso(hour) })
}
