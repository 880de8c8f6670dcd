/** Aggregated and single trades have different ids: together, quantities would count twice. */
import { OperatorError } from '#core/errors.ts'
import type { Client, Pool } from '#core/node/pool.ts'
import { type Micros, toIso } from '#core/time.ts'
import type { FileKind } from './kind.ts'

/** Errors: `import_mixed_trades`. */
export async function refuseMixedTrades(
  client: Client | Pool,
  file: {
    readonly kind: Pick<FileKind, 'table' | 'trades_are'>
    readonly symbol_id: number
  },
  from: Micros,
  to: Micros,
): Promise<void> {
  const { table, trades_are } = file.kind
  if (table !== 'trades' || trades_are === undefined) return
  const { rowCount } = await client.query(
    `select from marketdata.trades
     where symbol_id = $1 and ts_exchange >= $2 and ts_exchange < $3
       and (first_trade_id is not null) <> $4 limit 1`,
    [file.symbol_id, toIso(from), toIso(to), trades_are === 'aggregated'],
  )
  if (rowCount === 0) return
  const has = trades_are === 'aggregated' ? 'single' : 'aggregated'
  throw new OperatorError(
    'import_mixed_trades',
    `${toIso(from).slice(0, 10)} has ${has} trades already, and the file has ${trades_are} ones.`,
    { hint: 'Import the kind that was recorded. Both together would count quantities twice.' },
  )
}
