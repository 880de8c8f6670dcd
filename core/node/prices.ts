/**
 * Stores index prices in marketdata.prices, for the ingestor's writer and for the poller. A value
 * makes one row, however often and by whichever program it is fetched.
 */
import type { IndexPrice } from '../market.ts'
import { toIso } from '../time.ts'
import type { Client, Pool } from './pool.ts'

export type PriceValue = Pick<IndexPrice, 'symbol' | 'price' | 'ts_exchange' | 'ts_ingest'>

/** Returns the number of new rows. With a client, it runs in the client's transaction. */
export async function storePrices(
  database: Pick<Client | Pool, 'query'>,
  prices: readonly PriceValue[],
): Promise<number> {
  if (prices.length === 0) return 0
  const { rowCount } = await database.query(INSERT, [
    prices.map((value) => value.symbol),
    // Decimal text, so that numeric gets the exact digits.
    prices.map((value) => String(value.price)),
    prices.map((value) => toIso(value.ts_exchange)),
    prices.map((value) => toIso(value.ts_ingest)),
  ])
  return rowCount ?? 0
}

const INSERT = `insert into marketdata.prices (ticker, price, "timestamp", ts_ingest)
  select ticker, price, "timestamp", ts_ingest
  from unnest($1::text[], $2::numeric[], $3::timestamptz[], $4::timestamptz[])
    as new (ticker, price, "timestamp", ts_ingest)
  where not exists (
    select from marketdata.prices p
    where p.ticker = new.ticker and p."timestamp" = new."timestamp")
  order by ticker, "timestamp"
  on conflict (ticker, "timestamp") do nothing`
