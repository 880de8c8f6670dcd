/**
 * The newest quote of each instrument at a time, in one statement. The time bounds are parameters,
 * so Postgres plans and locks only the partitions between them. Instruments come in the order of
 * (exchange, symbol), by bytes.
 */
import { micros, toIso, type Micros } from '#core/time.ts'
import type { Row } from '../tables/table.ts'
import type { Database } from './database.ts'

export interface InstrumentName {
  readonly exchange: string
  readonly symbol: string
}

export interface QuotesAtArgs {
  readonly exchange: string | null
  /** Null: every symbol. */
  readonly symbols: readonly string[] | null
  /** A quote older than this is not found. */
  readonly from: Micros
  /** Quotes up to this time, inclusive. */
  readonly at: Micros
  readonly after: InstrumentName | null
  readonly limit: number
}

/** An instrument, and its quote; the columns of the quote are null if there is none. */
export type QuoteAtRow = Row & {
  readonly exchange: string
  readonly symbol: string
  readonly tick_size: number | null
  readonly step_size: number | null
  readonly ts_exchange: number | null
}

const SQL = `
select s.exchange, s.symbol, s.tick_size, s.step_size, q.ts_exchange, q.ts_ingest, q.update_id,
  q.best_bid, q.best_ask, q.bid_qty, q.ask_qty
from (
  select id, exchange, symbol, tick_size, step_size
  from marketdata.symbols
  where ($1::text is null or exchange = $1)
    and ($2::text is null or symbol = any(string_to_array($2, ',')))
    and ($3::text is null or (exchange collate "C", symbol collate "C") > ($3, $4::text))
  order by exchange collate "C", symbol collate "C"
  limit $5::int
) s
left join lateral (
  select ts_exchange, ts_ingest, update_id, best_bid, best_ask, bid_qty, ask_qty
  from marketdata.book_ticker b
  where b.symbol_id = s.id and b.ts_exchange >= $6::timestamptz and b.ts_exchange < $7::timestamptz
  order by b.ts_exchange desc, b.update_id desc
  limit 1
) q on true
order by s.exchange collate "C", s.symbol collate "C"`

export function selectQuotesAt(db: Database, args: QuotesAtArgs): Promise<readonly QuoteAtRow[]> {
  const { exchange, symbols, from, at, after, limit } = args
  return db.query(SQL, [
    exchange,
    symbols === null ? null : symbols.join(','),
    after?.exchange ?? null,
    after?.symbol ?? null,
    limit,
    toIso(from),
    toIso(micros(at + 1)),
  ])
}
