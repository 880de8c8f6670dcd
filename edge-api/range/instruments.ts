/**
 * Finds the instrument of a symbol name. Results are cached for a minute, so most requests need
 * only one query, and for longer while the database does not respond. Unknown names are not cached.
 */
import { OperatorError } from '#core/errors.ts'
import { decimalsOf } from '#core/symbols.ts'
import { SECOND_US, type Micros } from '#core/time.ts'
import type { ListInstruments } from '../lake/instrument-list.ts'
import { Problem, badParameters } from '../problem.ts'
import type { FoundSymbolRow } from '../queries/find-symbol.ts'
import type { SymbolRow, SymbolsArgs } from '../queries/symbols.ts'
import type { Decimals } from '#core/decimal-text.ts'

/** Decimals are null if the exchange's listing was not read yet. */
export interface Instrument extends Decimals {
  readonly id: number
  readonly exchange: string
  readonly symbol: string
  /** Smallest price step; null if the listing was not read yet. */
  readonly tick_size: number | null
}

/** `id` is null if the database did not respond. */
export type ArchivedInstrument = Omit<Instrument, 'id'> & { readonly id: number | null }

/** Throws a 404 if the name is unknown, and a 400 if several exchanges list it. */
export type FindInstrument = (symbol: string, exchange: string | null) => Promise<Instrument>

export interface InstrumentFinder {
  readonly find: FindInstrument
  /** What `find` would return without a query. */
  known(symbol: string, exchange: string | null): Instrument | undefined
}

const KEPT_FOR_US = 60 * SECOND_US
const KEPT_COUNT_MAX = 2_000

export function createInstrumentFinder(
  find: (symbol: string, exchange: string | null) => Promise<readonly FoundSymbolRow[]>,
  now: () => Micros,
): InstrumentFinder {
  const kept = new Map<string, { readonly instrument: Instrument; readonly until: number }>()
  const keyOf = (symbol: string, exchange: string | null): string => `${exchange ?? ''}/${symbol}`
  const findOne: FindInstrument = async (symbol, exchange) => {
    const key = keyOf(symbol, exchange)
    const known = kept.get(key)
    if (known !== undefined && now() < known.until) return known.instrument
    let rows: readonly FoundSymbolRow[]
    try {
      rows = await find(symbol, exchange)
    } catch (error) {
      if (known !== undefined && isAway(error)) return known.instrument
      throw error
    }
    const instrument = choose(rows, symbol, exchange)
    if (kept.size >= KEPT_COUNT_MAX) kept.clear()
    kept.set(key, { instrument, until: now() + KEPT_FOR_US })
    return instrument
  }
  return {
    find: findOne,
    known(symbol, exchange) {
      const found = kept.get(keyOf(symbol, exchange))
      return found !== undefined && now() < found.until ? found.instrument : undefined
    },
  }
}

/** For routes that can read the archive: falls back to its list while the database is down. */
export type FindArchived = (symbol: string, exchange: string | null) => Promise<ArchivedInstrument>

export function createArchivedFinder(find: FindInstrument, list: ListInstruments): FindArchived {
  return async (symbol, exchange) => {
    try {
      return await find(symbol, exchange)
    } catch (error) {
      if (!isAway(error)) throw error
      const listed = await list().catch(() => undefined)
      if (listed === undefined) throw error
      const rows = listed.filter(
        (one) => one.symbol === symbol && (exchange === null || one.exchange === exchange),
      )
      return {
        ...choose(
          rows.map((row) => ({ id: NO_ID, ...row })),
          symbol,
          exchange,
        ),
        id: null,
      }
    }
  }
}

const NO_ID = 0

/** Rows of /v1/symbols: from the database, or from the archive's list while it is down. */
export async function symbolsOf(
  { exchange, is_active, limit }: SymbolsArgs,
  select: () => Promise<readonly SymbolRow[]>,
  list: ListInstruments,
): Promise<readonly SymbolRow[]> {
  try {
    return await select()
  } catch (error) {
    const listed = isAway(error) ? await list().catch(() => undefined) : undefined
    if (listed === undefined) throw error
    return listed
      .filter((one) => exchange === null || one.exchange === exchange)
      .filter((one) => is_active === null || one.is_active === is_active)
      .slice(0, limit)
  }
}

/** True if the database is temporarily unavailable, so that the archive should be tried. */
export function isAway(error: unknown): boolean {
  return error instanceof OperatorError && error.retryable
}

function choose(
  rows: readonly FoundSymbolRow[],
  symbol: string,
  exchange: string | null,
): Instrument {
  const [row, ...others] = rows
  if (row === undefined) {
    const where = exchange === null ? '' : ` on ${exchange}`
    throw new Problem(
      404,
      'unknown_symbol',
      'The symbol is unknown.',
      `${symbol} is not recorded${where}. Names are case-sensitive and spelled as on the ` +
        'exchange. /v1/symbols lists them.',
    )
  }
  if (others.length > 0) {
    const names = rows.map((r) => r.exchange).join(', ')
    throw badParameters([
      {
        parameter: 'exchange',
        found: null,
        allowed: `one of ${names}, which all list ${symbol}`,
      },
    ])
  }
  return {
    id: row.id,
    exchange: row.exchange,
    symbol: row.symbol,
    tick_size: row.tick_size,
    price_decimals: row.tick_size === null ? null : decimalsOf(row.tick_size),
    qty_decimals: row.step_size === null ? null : decimalsOf(row.step_size),
  }
}
