/**
 * Finds the symbol that a caller names. Listings change rarely, so found ones are kept for a
 * minute.
 */
import type { TickFacts } from '#core/clusters/row.ts'
import { OperatorError } from '#core/errors.ts'
import type { Pool } from '#core/node/pool.ts'
import { decimalsOf, type Exchange } from '#core/symbols.ts'

export interface RecordedSymbol {
  readonly symbol_id: number
  readonly exchange: Exchange
  readonly symbol: string
}

export type ClusterSymbol = RecordedSymbol & TickFacts

/** Errors: `unknown_symbol`; `no_tick_size` if no listing with its price step was read yet. */
export type FindSymbol = (exchange: string, symbol: string) => Promise<ClusterSymbol>

const KEPT_MS = 60_000
const KEPT_COUNT_MAX = 5_000

export function createSymbolFinder(pool: Pool, now: () => number): FindSymbol {
  const kept = new Map<string, { readonly found: ClusterSymbol; readonly until_ms: number }>()
  return async (exchange, symbol) => {
    const key = `${exchange}/${symbol}`
    const known = kept.get(key)
    if (known !== undefined && now() < known.until_ms) return known.found
    const found = await selectSymbol(pool, exchange, symbol)
    if (kept.size >= KEPT_COUNT_MAX) kept.clear()
    kept.set(key, { found, until_ms: now() + KEPT_MS })
    return found
  }
}

interface SymbolRow {
  readonly id: string
  readonly exchange: Exchange
  readonly symbol: string
  readonly tick_size: number | null
  readonly step_size: number | null
}

async function selectSymbol(pool: Pool, exchange: string, symbol: string): Promise<ClusterSymbol> {
  const { rows } = await pool.query<SymbolRow>(
    `select id, exchange, symbol, tick_size, step_size from marketdata.symbols
     where exchange = $1 and symbol = $2`,
    [exchange, symbol],
  )
  const [row] = rows
  if (row === undefined) {
    throw new OperatorError('unknown_symbol', `${symbol} is not recorded on ${exchange}.`)
  }
  return factsOf(row)
}

function factsOf({ id, exchange, symbol, tick_size, step_size }: SymbolRow): ClusterSymbol {
  if (tick_size === null) {
    throw new OperatorError('no_tick_size', `The price step of ${symbol} is not known yet.`, {
      hint: 'The ingestor reads it from the listing of the exchange.',
    })
  }
  return {
    symbol_id: Number(id),
    exchange,
    symbol,
    tick_size,
    price_decimals: decimalsOf(tick_size),
    qty_decimals: step_size === null ? null : decimalsOf(step_size),
  }
}
