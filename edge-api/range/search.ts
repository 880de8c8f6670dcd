/** Ranks instruments by how well their name matches a text, also without the database. */
import type { ListInstruments } from '../lake/instrument-list.ts'
import type { SymbolRow } from '../queries/symbols.ts'
import { isAway } from './instruments.ts'

/** `text` is in lower case. Best first. */
export type Search = (text: string, exchange: string | null) => Promise<readonly SymbolRow[]>

export function createSearch(select: Search, list: ListInstruments): Search {
  return async (text, exchange) => {
    try {
      return ranked(await select(text, exchange), text)
    } catch (error) {
      const listed = isAway(error) ? await list().catch(() => undefined) : undefined
      if (listed === undefined) throw error
      const matches = listed
        .filter((one) => exchange === null || one.exchange === exchange)
        .filter(({ symbol, base_asset }) =>
          [symbol, base_asset ?? ''].some((name) => asciiLower(name).startsWith(text)),
        )
      return ranked(matches, text)
    }
  }
}

/** Only A-Z, as the database's collation "C" has it. */
export function asciiLower(text: string): string {
  return text.replaceAll(/[A-Z]/g, (letter) => letter.toLowerCase())
}

function ranked(rows: readonly SymbolRow[], text: string): readonly SymbolRow[] {
  return rows
    .map((row) => ({ row, key: `${rankOf(row, text)} ${row.exchange} ${row.symbol}` }))
    .toSorted((a, b) => (a.key < b.key ? -1 : 1))
    .map(({ row }) => row)
}

/** Smaller is better. */
function rankOf({ symbol, base_asset, is_active }: SymbolRow, text: string): string {
  const [name, base] = [asciiLower(symbol), asciiLower(base_asset ?? '')]
  const match = name === text ? 0 : base === text ? 1 : name.startsWith(text) ? 2 : 3
  return `${match}${is_active ? 0 : 1}`
}
