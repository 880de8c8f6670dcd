/** Statistics of the stored prices of one ticker. */
import type { Micros } from '#core/time.ts'
import type { Database } from './database.ts'

/** All values except the count are null if the ticker has no prices. */
export interface PriceStatsRow {
  readonly count: number
  readonly min_price: number | null
  readonly max_price: number | null
  readonly avg_price: number | null
  readonly first_timestamp: Micros | null
  readonly last_timestamp: Micros | null
}

/** A quotient gets the decimals of its dividend: this many give the double nearest to the mean. */
const MEAN_DECIMALS = 60

const SQL = `
select count(*) as count,
  min(price)::double precision as min_price,
  max(price)::double precision as max_price,
  (round(sum(price), ${MEAN_DECIMALS}) / nullif(count(*), 0))::double precision as avg_price,
  min("timestamp") as first_timestamp,
  max("timestamp") as last_timestamp
from marketdata.prices
where ticker = $1`

export async function selectPriceStats(db: Database, ticker: string): Promise<PriceStatsRow> {
  const [row] = await db.query<PriceStatsRow>(SQL, [ticker])
  return row!
}
