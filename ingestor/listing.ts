/**
 * Which symbols this ingestor records, and which order books: what was asked for, held against
 * what the exchange lists.
 */
import { setTimeout as sleep } from 'node:timers/promises'
import { describeError, OperatorError } from '#core/errors.ts'
import type { Logger } from '#core/node/log.ts'
import type { Instrument } from '#core/symbols.ts'
import type { DepthSymbols, IngestorConfig } from './config.ts'
import type {
  DepthChoice,
  ExchangeAdapter,
  LeftOut,
  ParsedListing,
} from './exchanges/adapter.ts'
import { type Shard, symbolsOfShard } from './shard.ts'
import { activeSymbols, createNameFinder, type FoundName } from './symbol-names.ts'
import type { RestAnswer, RestClient } from './transport/rest-client.ts'

const RETRY_MS = 5_000
const PAGES_MAX = 20

export interface Listing extends ParsedListing {
  readonly answer: RestAnswer
}

/** One try; an OperatorError where there is no answer, or none that is a listing. */
export async function readListing(rest: RestClient, adapter: ExchangeAdapter): Promise<Listing> {
  const { instruments_path: path, instruments_weight: weight = 1 } = adapter
  const first = await rest.get({ path, weight })
  const pages = [first]
  for (;;) {
    const next = adapter.nextInstrumentsPath?.(pages.at(-1)!.body)
    if (next === undefined) break
    if (pages.length === PAGES_MAX) throw endlessListing(path)
    pages.push(await rest.get({ path: next, weight }))
  }
  // What is recorded is one answer that lists everything: a symbol it leaves out is delisted.
  const body = pages.length === 1 ? first.body : `[${pages.map((page) => page.body).join(',')}]`
  return { answer: { ...pages.at(-1)!, path, body }, ...adapter.parseInstruments(body) }
}

function endlessListing(path: string): OperatorError {
  const message = `The listing at ${path} has more than ${PAGES_MAX} pages.`
  const hint = 'Check EXCHANGE_REST_URL.'
  return new OperatorError('bad_listing', message, { hint, retryable: true })
}

/** Asks until there is an answer or `signal` is aborted; a refusal is final. */
export function fetchListing(
  rest: RestClient,
  adapter: ExchangeAdapter,
  log: Logger,
  signal: AbortSignal,
): Promise<Listing> {
  return insist(() => readListing(rest, adapter), log, signal)
}

/** Whose books are recorded, as StreamChoice has it. Throws where a symbol that was named is not. */
export async function chooseDepth(
  wanted: DepthSymbols,
  symbols: readonly string[],
  rest: RestClient,
  adapter: ExchangeAdapter,
  log: Logger,
  signal: AbortSignal,
): Promise<DepthChoice['symbols']> {
  switch (wanted.kind) {
    case 'all':
      return 'all'
    case 'tiers':
      return wanted.symbols
    case 'named':
      return requireRecorded(wanted.symbols, symbols)
    case 'busiest': {
      const { turnover } = adapter
      if (turnover === undefined) throw noTurnover(adapter)
      const by_symbol = await insist(
        async () => turnover.parse((await rest.get(turnover)).body),
        log,
        signal,
      )
      const turnoverOf = (symbol: string): number => by_symbol.get(symbol) ?? 0
      return symbols.toSorted((a, b) => turnoverOf(b) - turnoverOf(a)).slice(0, wanted.count)
    }
  }
}

/**
 * The symbols after the listing changed: what was asked for and is active now. Unlike at the
 * start, a name that is not listed is no mistake (it was delisted, and may come back). Where the
 * exchange trades nothing at all the old choice stands: that is a pause of the exchange.
 */
export function chooseAgain(
  { symbols, shard }: Pick<IngestorConfig, 'symbols' | 'shard'>,
  instruments: readonly Instrument[],
  before: readonly string[],
): readonly string[] {
  const active = activeSymbols(instruments)
  if (active.length === 0) return before
  const find = createNameFinder(active)
  const listed =
    symbols === 'all'
      ? everySymbol(instruments)
      : [...new Set(symbols.flatMap((wanted) => foundName(find(wanted))))]
  return shard === undefined ? listed : symbolsOfShard(listed, shard)
}

/** Those whose market has sessions. */
export function restingSymbols(instruments: readonly Instrument[]): ReadonlySet<string> {
  const resting = instruments.filter(({ may_rest }) => may_rest === true)
  return new Set(resting.map(({ symbol }) => symbol))
}

async function insist<T>(ask: () => Promise<T>, log: Logger, signal: AbortSignal): Promise<T> {
  for (;;) {
    try {
      return await ask()
    } catch (error) {
      if (!(error instanceof OperatorError && error.retryable)) throw error
      log.warn(
        { code: 'listing_failed', error: describeError(error) },
        'The exchange does not say what it lists; trying again.',
      )
      await sleep(RETRY_MS, undefined, { signal })
    }
  }
}

/** Throws where a symbol that was named is not listed, or nothing is left to record. */
export function chooseSymbols(
  { symbols, shard }: Pick<IngestorConfig, 'symbols' | 'shard'>,
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
  wanted: 'all' | readonly string[],
  { instruments, left_out }: ParsedListing,
): readonly string[] {
  if (wanted === 'all') {
    const chosen = everySymbol(instruments)
    if (chosen.length > 0) return chosen
    throw new OperatorError(
      'no_symbols',
      `The exchange lists ${instruments.length} instruments; none is an active one in USDT, or an index.`,
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
    `Of the ${instruments.length} instruments that the exchange lists: ${reasons.join('; ')}.`,
    { hint: "Correct SYMBOLS; names are the exchange's own, such as BTCUSDT." },
  )
}

function foundName(found: FoundName): readonly string[] {
  return found.kind === 'found' ? [found.symbol] : []
}

function describeRefusal(name: string, found: FoundName, left_out: readonly LeftOut[]): string {
  if (found.kind === 'ambiguous') return `${name} may be ${found.symbols.join(' or ')}`
  const odd = left_out.find((entry) => entry.name === name)
  return odd === undefined ? `no active one is ${name}` : `${name} cannot be recorded (${odd.reason})`
}

/** What 'all' stands for: active perpetuals and spot pairs in USDT, and indexes. */
function everySymbol(instruments: readonly Instrument[]): readonly string[] {
  const taken = instruments.filter(({ is_active, instrument_type, quote_asset }) => {
    if (!is_active || instrument_type === 'future') return false
    return instrument_type === 'index' || quote_asset === 'USDT'
  })
  return taken.map((instrument) => instrument.symbol)
}

function requireRecorded(
  named: readonly string[],
  symbols: readonly string[],
): readonly string[] {
  const found = named.map(createNameFinder(symbols))
  const missing = named.filter((_, i) => found[i]!.kind !== 'found')
  if (missing.length === 0) return [...new Set(found.flatMap(foundName))]
  throw new OperatorError(
    'depth_symbol_not_recorded',
    `DEPTH_SYMBOLS names ${missing.join(', ')}, which SYMBOLS does not.`,
    { hint: 'Books are recorded of symbols that are recorded: add them to SYMBOLS too.' },
  )
}

function noTurnover({ exchange }: ExchangeAdapter): OperatorError {
  return new OperatorError(
    'no_turnover',
    `DEPTH_SYMBOLS asks for the busiest symbols, but this build cannot ask ${exchange} which they are.`,
    { hint: "Use 'tier', 'all' or a list of symbols." },
  )
}
