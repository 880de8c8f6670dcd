/** Instruments whose symbol or base asset begins with a text, without regard to the case of A-Z. */
import type { Database } from './database.ts'
import type { SymbolRow } from './symbols.ts'

/** More matches than any answer has: the caller of this query ranks them. */
const ROWS_MAX = 10_000

const SQL = `
select exchange, symbol, instrument_type, base_asset, quote_asset, is_active, tick_size, step_size
from marketdata.symbols
where ($2::text is null or exchange = $2)
  and (starts_with(lower(symbol collate "C"), $1) or starts_with(lower(base_asset collate "C"), $1))
limit ${ROWS_MAX}`

/** `text` in lower case. */
export function selectSearch(
  db: Database,
  text: string,
  exchange: string | null,
): Promise<readonly SymbolRow[]> {
  return db.query(SQL, [text, exchange])
}
