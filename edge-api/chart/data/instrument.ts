/** The symbols that the API lists. */
import { ask } from './api.ts'

export interface Instrument {
  readonly exchange: string
  readonly symbol: string
  readonly instrument_type: string | null
  readonly base_asset: string | null
  readonly quote_asset: string | null
  readonly is_active: boolean
  readonly tick_size: string | null
  readonly step_size: string | null
}

export async function askInstruments(): Promise<readonly Instrument[]> {
  const { symbols } = await ask<{ readonly symbols: readonly Instrument[] }>('/v1/symbols')
  // An index is not traded.
  return symbols.filter(({ instrument_type }) => instrument_type !== 'index')
}

/** `exchange=…`, and the symbol for a path. */
export function addressOf({ exchange, symbol }: Instrument): {
  readonly path: string
  readonly query: string
} {
  return { path: encodeURIComponent(symbol), query: `exchange=${encodeURIComponent(exchange)}` }
}

/** Those that match, best first: the whole name, its beginning, any part of it. */
export function search(
  instruments: readonly Instrument[],
  text: string,
  count: number,
): readonly Instrument[] {
  const words = text.trim().toUpperCase().split(/\s+/).filter(Boolean)
  const rank = ({ symbol, exchange, is_active }: Instrument): number => {
    const name = symbol.toUpperCase()
    const is_match = words.every(
      (word) => name.includes(word) || exchange.toUpperCase().includes(word),
    )
    if (!is_match) return -1
    const [first = ''] = words
    const start = name === first ? 3 : name.startsWith(first) ? 2 : 1
    return start * 2 + Number(is_active)
  }
  return instruments
    .map((instrument) => ({ instrument, rank: rank(instrument) }))
    .filter((found) => found.rank >= 0)
    .toSorted((a, b) => b.rank - a.rank)
    .slice(0, count)
    .map(({ instrument }) => instrument)
}
