/** Which symbols are recorded, as the newest listing has it, and what it says of them. */
import type { Logger } from '#core/node/log.ts'
import type { Instrument } from '#core/symbols.ts'
import type { LeftOut, ParsedListing } from './exchanges/adapter.ts'
import { activeSymbols } from './symbol-names.ts'
import { chooseAgain, chooseSymbols, isNamed, restingSymbols, type SymbolQuestion } from './symbol-choice.ts'
import type { SymbolsWanted } from './wanted.ts'

export interface ListedSymbols {
  readonly names: readonly string[]
  /** What can be recorded by the newest listing. */
  readonly active: readonly string[]
  /** Instruments of the newest listing that cannot be recorded. */
  readonly left_out_count: number
  /** Its market has sessions. */
  mayRest(symbol: string): boolean
  /**
   * The first listing. Throws where a symbol that was named is not in it, unless the choice was
   * `kept` from an earlier run: then the name was listed once.
   */
  begin(listing: ParsedListing, is_kept: boolean): void
  /** With names as the exchange has them. Throws where a symbol that is named is not listed. */
  named(symbols: SymbolsWanted): SymbolsWanted
  /** What another choice would be. Throws where a symbol that is named is not listed. */
  choose(symbols: SymbolsWanted): readonly string[]
  /** The choice is this one from now on; names that are not listed any more are left out. */
  take(symbols: SymbolsWanted): SymbolChange | undefined
  /** What a later listing changes; undefined for nothing. */
  takeListing(listing: ParsedListing): SymbolChange | undefined
}

export interface SymbolChange {
  readonly added: readonly string[]
  readonly removed: readonly string[]
}

/** Instruments that one line of the log names with their reasons. */
const LEFT_OUT_TOLD_MAX = 20

export function createListedSymbols(asked: SymbolQuestion, log: Logger): ListedSymbols {
  let question = asked
  let listed: ParsedListing = { instruments: [], left_out: [] }
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
      // Nothing is left of a choice that was kept: that is said as of any other.
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
