/**
 * Matches names that operators write with the exchange's names, which are case sensitive: Binance
 * lists BTCUSDT, Deribit btc_usd.
 */
import type { Instrument } from '#core/symbols.ts'

export type FoundName =
  | { readonly kind: 'found'; readonly symbol: string }
  | { readonly kind: 'unknown' }
  /** Several names differ only in case. */
  | { readonly kind: 'ambiguous'; readonly symbols: readonly string[] }

export type NameFinder = (wanted: string) => FoundName

/** The exact name, or else the only name that matches in another case. */
export function createNameFinder(symbols: readonly string[]): NameFinder {
  const exact = new Set(symbols)
  const folded = Map.groupBy(exact, (symbol) => symbol.toUpperCase())
  return (wanted) => {
    if (exact.has(wanted)) return { kind: 'found', symbol: wanted }
    const [symbol, ...others] = folded.get(wanted.toUpperCase()) ?? []
    if (symbol === undefined) return { kind: 'unknown' }
    return others.length === 0
      ? { kind: 'found', symbol }
      : { kind: 'ambiguous', symbols: [symbol, ...others] }
  }
}

export function activeSymbols(instruments: readonly Instrument[]): readonly string[] {
  return instruments.filter(({ is_active }) => is_active).map(({ symbol }) => symbol)
}
