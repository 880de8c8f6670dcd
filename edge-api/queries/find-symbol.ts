/** The instruments with one name; several exchanges may list the same name. */
import type { Database } from './database.ts'

export interface FoundSymbolRow {
  readonly id: number
  readonly exchange: string
  readonly symbol: string
  readonly tick_size: number | null
  readonly step_size: number | null
}

const SQL = `
select id, exchange, symbol, tick_size, step_size
from marketdata.symbols
where symbol = $1 and ($2::text is null or exchange = $2)
order by exchange
limit 16`

export function findSymbol(
  db: Database,
  symbol: string,
  exchange: string | null,
): Promise<readonly FoundSymbolRow[]> {
  return db.query(SQL, [symbol, exchange])
}
