/** Which symbols are recorded, as the newest listing has it, and what it says of them. */
import type { Logger } from '#core/node/log.ts'
import type { IngestorConfig } from './config.ts'
import type { LeftOut, ParsedListing } from './exchanges/adapter.ts'
import { chooseAgain, chooseSymbols, restingSymbols } from './listing.ts'

export interface ListedSymbols {
  readonly names: readonly string[]
  /** Instruments of the newest listing that cannot be recorded. */
  readonly left_out_count: number
  /** Its market has sessions. */
  mayRest(symbol: string): boolean
  /** The first listing. Throws where a symbol that was named is not in it. */
  begin(listing: ParsedListing): void
  /** What a later listing changes; undefined for nothing. */
  takeListing(listing: ParsedListing): SymbolChange | undefined
}

export interface SymbolChange {
  readonly added: readonly string[]
  readonly removed: readonly string[]
}

/** Instruments that one line of the log names with their reasons. */
const LEFT_OUT_TOLD_MAX = 20

export function createListedSymbols(
  config: Pick<IngestorConfig, 'symbols' | 'shard'>,
  log: Logger,
): ListedSymbols {
  let names: readonly string[] = []
  let resting: ReadonlySet<string> = new Set()
  let left_out: readonly LeftOut[] = []

  /** Told once, and again where there are others. */
  const noteLeftOut = (now: readonly LeftOut[]): void => {
    const before = left_out.map(({ name }) => name).join()
    left_out = now
    if (now.length === 0 || now.map(({ name }) => name).join() === before) return
    log.warn(
      { code: 'instruments_left_out', count: now.length, first: now.slice(0, LEFT_OUT_TOLD_MAX) },
      'The exchange lists instruments that cannot be recorded.',
    )
  }
  return {
    get names() {
      return names
    },
    get left_out_count() {
      return left_out.length
    },
    mayRest: (symbol) => resting.has(symbol),
    begin(listing) {
      names = chooseSymbols(config, listing)
      resting = restingSymbols(listing.instruments)
      noteLeftOut(listing.left_out)
    },
    takeListing({ instruments, left_out: now }) {
      noteLeftOut(now)
      resting = restingSymbols(instruments)
      const chosen = chooseAgain(config, instruments, names)
      const added = chosen.filter((symbol) => !names.includes(symbol))
      const removed = names.filter((symbol) => !chosen.includes(symbol))
      if (added.length === 0 && removed.length === 0) return undefined
      names = chosen
      return { added, removed }
    },
  }
}
