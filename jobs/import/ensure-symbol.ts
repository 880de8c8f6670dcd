/** The symbol of a file, which nobody may have recorded. */
import { OperatorError } from '#core/errors.ts'
import type { Pool } from '#core/node/pool.ts'
import { isSymbolName } from '#core/symbols.ts'
import type { SourceFile } from './kind.ts'

/** Its facts come with the exchange's next listing. */
export async function ensureSymbol(pool: Pool, { exchange, symbol }: SourceFile): Promise<number> {
  if (!isSymbolName(symbol)) {
    throw new OperatorError('import_symbol', `"${symbol}" is not a name of a symbol.`)
  }
  await pool.query(
    `insert into marketdata.symbols (exchange, symbol) select $1, $2
     where not exists (
       select from marketdata.symbols where exchange = $1 and symbol = $2
     )
     on conflict do nothing`,
    [exchange, symbol],
  )
  const { rows } = await pool.query<{ id: string }>(
    'select id from marketdata.symbols where exchange = $1 and symbol = $2',
    [exchange, symbol],
  )
  return Number(rows[0]!.id)
}
