/** The instruments that the exchanges list. */
import type { ListedInstrument } from '#core/instrument-list.ts'
import type { Database } from './database.ts'

export type SymbolRow = ListedInstrument

export interface SymbolsArgs {
  readonly exchange: string | null
  readonly is_active: boolean | null
  readonly limit: number
}

const SQL = `
select exchange, symbol, instrument_type, base_asset, quote_asset, is_active, tick_size, step_size
from marketdata.symbols
where ($1::text is null or exchange = $1) and ($2::boolean is null or is_active = $2)
order by exchange, symbol
limit $3::int`

export function selectSymbols(db: Database, args: SymbolsArgs): Promise<readonly SymbolRow[]> {
  return db.query(SQL, [args.exchange, args.is_active, args.limit])
}
