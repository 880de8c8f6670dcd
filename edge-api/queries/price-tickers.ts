/**
 * The tickers that have prices, by name. Takes one index probe per ticker; a plain DISTINCT would
 * read every price.
 */
import type { Database } from './database.ts'

const SQL = `
with recursive ticker as (
  (select ticker from marketdata.prices order by ticker limit 1)
  union all
  select (
    select p.ticker from marketdata.prices p where p.ticker > t.ticker order by p.ticker limit 1
  )
  from ticker t
  where t.ticker is not null
)
select ticker from ticker where ticker is not null order by ticker`

export async function selectPriceTickers(db: Database): Promise<readonly string[]> {
  const rows = await db.query<{ readonly ticker: string }>(SQL, [])
  return rows.map((row) => row.ticker)
}
