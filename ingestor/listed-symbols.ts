/** Which symbols are recorded according to the newest listing, and their properties there. */
import type { Logger } from '#core/node/log.ts'
import type { Instrument } from '#core/symbols.ts'
import type { LeftOut, ParsedListing } from './exchanges/adapter.ts'
import { activeSymbols } from './symbol-names.ts'
import {
  chooseAgain,
  chooseSymbols,
  isNamed,
  restingSymbols,
  type SymbolQuestion,
} from './symbol-choice.ts'
import type { SymbolsWanted } from './desired-state.ts'

export interface ListedSymbols {
  readonly names: readonly string[]
  /** Symbols of the newest listing that can be recorded. */
  readonly active: readonly string[]
  /** Instruments of the newest listing that cannot be recorded. */
  readonly left_out_count: number
  /** True if the symbol's market has sessions. */
  mayRest(symbol: string): boolean
  /**
   * Takes the first listing. Throws if a named symbol is not in it, unless the choice was kept from
   * an earlier run (`is_kept`), in which the name was listed.
   */
  begin(listing: ParsedListing, is_kept: boolean): void
  /** Returns the choice with the exchange's spelling of names. Throws if a name is not listed. */
  named(symbols: SymbolsWanted): SymbolsWanted
  /** Returns the symbols of another choice. Throws if a named symbol is not listed. */
  choose(symbols: SymbolsWanted): readonly string[]
  /** Replaces the choice. Names that are no longer listed are left out. */
  take(symbols: SymbolsWanted): SymbolChange | undefined
  /** Takes a later listing. Returns what it changes; undefined if nothing. */
  takeListing(listing: ParsedListing): SymbolChange | undefined
}

export interface SymbolChange {
  readonly added: readonly string[]
  readonly removed: readonly string[]
}

/** How many instruments one log line names with their reasons. */
const LEFT_OUT_LOGGED_MAX = 20

export function createListedSymbols(asked: SymbolQuestion, log: Logger): ListedSymbols {
  let question = asked
  let listed: ParsedListing = { instruments: [], left_out: [] }
  let names: readonly string[] = []
  let resting: ReadonlySet<string> = new Set()
  let left_out: readonly LeftOut[] = []

  /** Logs them once, and again if they change. */
  const noteLeftOut = (now: readonly LeftOut[]): void => {
    const before = left_out.map(({ name }) => name).join()
    left_out = now
    if (now.length === 0 || now.map(({ name }) => name).join() === before) return
    log.warn(
      { code: 'instruments_left_out', count: now.length, first: now.slice(0, LEFT_OUT_LOGGED_MAX) },
      'The exchange lists instruments that cannot be recorded.',
    )
  }
  const chooseNow = (instruments: readonly Instrument[]): SymbolChange | undefined => {
    const chosen = chooseAgain(question, instruments, names)
    const added = chosen.filter((symbol) => !names.includes(symbol))
    const removed = names.filter((symbol) => !chosen.includes(symbol))
    if (added.length === 0 && removed.length === 0) return undefined
    names = chosen
    return { added, removed }
  }
  return {
    get active() {
      return activeSymbols(listed.instruments)
    },
    get names() {
      return names
    },
    get left_out_count() {
      return left_out.length
    },
    mayRest: (symbol) => resting.has(symbol),
    begin(listing, is_kept) {
      listed = listing
      names = is_kept
        ? chooseAgain(question, listing.instruments, [])
        : chooseSymbols(question, listing)
      // If nothing is left of a kept choice, throw the same error as for any other choice.
      if (names.length === 0) chooseSymbols(question, listing)
      resting = restingSymbols(listing.instruments)
      noteLeftOut(listing.left_out)
    },
    named: (symbols) =>
      isNamed(symbols) ? chooseSymbols({ symbols, shard: undefined }, listed) : symbols,
    choose: (symbols) => chooseSymbols({ ...question, symbols }, listed),
    take(symbols) {
      question = { ...question, symbols }
      return chooseNow(listed.instruments)
    },
    takeListing(listing) {
      listed = listing
      noteLeftOut(listing.left_out)
      resting = restingSymbols(listing.instruments)
      return chooseNow(listing.instruments)
    },
  }
}
