/** Which symbols are recorded: the requested ones that the exchange lists. Pure. */
import { OperatorError } from '#core/errors.ts'
import type { Instrument } from '#core/symbols.ts'
import type { LeftOut, ParsedListing } from './exchanges/adapter.ts'
import { type Shard, symbolsOfShard } from './shard.ts'
import { activeSymbols, createNameFinder, type FoundName } from './symbol-names.ts'
import { symbolsUpToTier, TIERS } from './symbol-tiers.ts'
import type { SymbolsWanted } from './desired-state.ts'

export interface SymbolQuestion {
  readonly symbols: SymbolsWanted
  /** Undefined: this ingestor records all of them. */
  readonly shard: Shard | undefined
}

/** Throws if a named symbol is not listed, or if nothing is left to record. */
export function chooseSymbols(
  { symbols, shard }: SymbolQuestion,
  listing: ParsedListing,
): readonly string[] {
  const chosen = listedSymbols(symbols, listing)
  return shard === undefined ? chosen : shareOf(chosen, shard)
}

function shareOf(symbols: readonly string[], shard: Shard): readonly string[] {
  const share = symbolsOfShard(symbols, shard)
  if (share.length > 0) return share
  throw new OperatorError(
    'no_symbols',
    `Shard ${shard.index}/${shard.count} has none of the ${symbols.length} symbols.`,
    { hint: 'Use fewer shards, or name more symbols.' },
  )
}

function listedSymbols(
  wanted: SymbolsWanted,
  { instruments, left_out }: ParsedListing,
): readonly string[] {
  if (!isNamed(wanted)) {
    const chosen = unnamedSymbols(wanted, instruments)
    if (chosen.length > 0) return chosen
    throw new OperatorError(
      'no_symbols',
      `None of the ${instruments.length} instruments of the exchange is an index or active in USDT.`,
      { hint: 'Name the symbols in SYMBOLS, or check EXCHANGE_REST_URL.' },
    )
  }
  const find = createNameFinder(activeSymbols(instruments))
  const found = wanted.map(find)
  const chosen = [...new Set(found.flatMap(foundName))]
  const refused = wanted.filter((_, i) => found[i]!.kind !== 'found')
  if (refused.length === 0) return chosen
  const reasons = refused.map((name) => describeRefusal(name, find(name), left_out))
  throw new OperatorError(
    'symbol_not_listed',
    `The exchange lists ${instruments.length} instruments, but ${reasons.join('; ')}.`,
    { hint: "Correct SYMBOLS. Use the exchange's names, such as BTCUSDT." },
  )
}

export function foundName(found: FoundName): readonly string[] {
  return found.kind === 'found' ? [found.symbol] : []
}

function describeRefusal(name: string, found: FoundName, left_out: readonly LeftOut[]): string {
  if (found.kind === 'ambiguous') return `${name} may be ${found.symbols.join(' or ')}`
  const odd = left_out.find((entry) => entry.name === name)
  return odd === undefined
    ? `no active one is named ${name}`
    : `${name} cannot be recorded (${odd.reason})`
}

export function isNamed(wanted: SymbolsWanted): wanted is readonly string[] {
  return Array.isArray(wanted)
}

/** Choices without names: all, the first `count`, or the first tiers. */
function unnamedSymbols(
  wanted: Exclude<SymbolsWanted, readonly string[]>,
  instruments: readonly Instrument[],
): readonly string[] {
  const every = everySymbol(instruments)
  if (wanted === 'all') return every
  if ('tier' in wanted)
    return symbolsUpToTier(wanted.tier).filter((symbol) => every.includes(symbol))
  return rankedSymbols(every).slice(0, wanted.count)
}

/**
 * The tiers' symbols in tier order, then the others by name. The order does not depend on the order
 * of the exchange's listing.
 */
function rankedSymbols(every: readonly string[]): readonly string[] {
  const listed = new Set(every)
  const ranked = new Set(symbolsUpToTier(TIERS.length).filter((symbol) => listed.has(symbol)))
  return [...ranked, ...every.filter((symbol) => !ranked.has(symbol)).toSorted()]
}

/** The meaning of 'all': active perpetuals and spot pairs in USDT, and indexes. */
function everySymbol(instruments: readonly Instrument[]): readonly string[] {
  const taken = instruments.filter(({ is_active, instrument_type, quote_asset }) => {
    if (!is_active || instrument_type === 'future') return false
    return instrument_type === 'index' || quote_asset === 'USDT'
  })
  return taken.map((instrument) => instrument.symbol)
}

/**
 * The symbols after the listing changed: those requested and active now. Unlike at the start, a
 * name that is not listed is allowed: it was delisted and may come back. If the exchange trades
 * nothing at all, the old choice is kept, because the exchange is paused.
 */
export function chooseAgain(
  { symbols, shard }: SymbolQuestion,
  instruments: readonly Instrument[],
  before: readonly string[],
): readonly string[] {
  const active = activeSymbols(instruments)
  if (active.length === 0) return before
  const listed = isNamed(symbols)
    ? [...new Set(symbols.map(createNameFinder(active)).flatMap(foundName))]
    : unnamedSymbols(symbols, instruments)
  return shard === undefined ? listed : symbolsOfShard(listed, shard)
}

/** The symbols whose market has sessions. */
export function restingSymbols(instruments: readonly Instrument[]): ReadonlySet<string> {
  const resting = instruments.filter(({ may_rest }) => may_rest === true)
  return new Set(resting.map(({ symbol }) => symbol))
}
