/** Index prices of one ticker, newest first, by page or by time range. */
import { toIso, type Micros } from '#core/time.ts'
import type { Database } from './database.ts'

export interface PriceRow {
  readonly id: number
  readonly ticker: string
  readonly price: number
  readonly timestamp: Micros
  readonly created_at: Micros
}

export interface PricesArgs {
  readonly ticker: string
  /** Both bounds are inclusive; null means no bound. */
  readonly start: Micros | null
  readonly end: Micros | null
  readonly skip: number
  readonly limit: number
}

const SQL = `
select id, ticker, price::double precision as price, "timestamp", created_at
from marketdata.prices
where ticker = $1
  and ($2::timestamptz is null or "timestamp" >= $2::timestamptz)
  and ($3::timestamptz is null or "timestamp" <= $3::timestamptz)
order by "timestamp" desc
offset $4::bigint limit $5::int`

export function selectPrices(db: Database, args: PricesArgs): Promise<readonly PriceRow[]> {
  const start = args.start === null ? null : toIso(args.start)
  const end = args.end === null ? null : toIso(args.end)
  return db.query(SQL, [args.ticker, start, end, args.skip, args.limit])
}
