/** What is stored of one ticker, in figures. */
import type { Micros } from '#core/time.ts'
import type { Database } from './database.ts'

/** Everything but the count is null where nothing is stored. */
export interface PriceStatsRow {
  readonly count: number
  readonly min_price: number | null
  readonly max_price: number | null
  readonly avg_price: number | null
  readonly first_timestamp: Micros | null
  readonly last_timestamp: Micros | null
}

/**
 * A quotient has as many decimals as what is divided, so the double nearest to the mean is found.
 */
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
