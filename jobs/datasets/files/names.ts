/** The names in a file's dictionaries, and the indexes of a symbol's own names. */
import type { NamePlaces } from './arrow-batch.ts'
import type { DatasetRows } from './dataset-rows.ts'
import type { NameLists } from './parts-arrow.ts'

type SymbolName = Pick<DatasetRows, 'exchange' | 'symbol'>

export function namesOf(symbols: readonly SymbolName[]): NameLists {
  return {
    exchange: [...new Set(symbols.map(({ exchange }) => exchange))],
    symbol: [...new Set(symbols.map(({ symbol }) => symbol))],
  }
}

export function placesOf(names: NameLists, { exchange, symbol }: SymbolName): NamePlaces {
  return { exchange: names.exchange.indexOf(exchange), symbol: names.symbol.indexOf(symbol) }
}
