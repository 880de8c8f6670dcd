/** Reads the exchange's listing over REST, and chooses whose order books are recorded. */
import { setTimeout as sleep } from 'node:timers/promises'
import { describeError, OperatorError } from '#core/errors.ts'
import type { Logger } from '#core/node/log.ts'
import type { DepthChoice, ExchangeAdapter, ParsedListing } from './exchanges/adapter.ts'
import { foundName } from './symbol-choice.ts'
import { createNameFinder } from './symbol-names.ts'
import { symbolsUpToTier } from './symbol-tiers.ts'
import type { DepthSymbols } from './desired-state.ts'
import type { RestAnswer, RestClient } from './transport/rest-client.ts'

const RETRY_MS = 5_000
const PAGES_MAX = 20

export interface Listing extends ParsedListing {
  readonly answer: RestAnswer
}

/** Tries once. Throws an OperatorError if there is no answer, or if it is not a listing. */
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
  // Record the pages as one answer, because a symbol that an answer leaves out is delisted.
  const body = pages.length === 1 ? first.body : `[${pages.map((page) => page.body).join(',')}]`
  return { answer: { ...pages.at(-1)!, path, body }, ...adapter.parseInstruments(body) }
}

function endlessListing(path: string): OperatorError {
  const message = `The listing at ${path} has more than ${PAGES_MAX} pages.`
  const hint = 'Check EXCHANGE_REST_URL.'
  return new OperatorError('bad_listing', message, { hint, retryable: true })
}

/** Retries until there is an answer or `signal` aborts. A refusal is final. */
export function fetchListing(
  rest: RestClient,
  adapter: ExchangeAdapter,
  log: Logger,
  signal: AbortSignal,
): Promise<Listing> {
  return insist(() => readListing(rest, adapter), log, signal)
}

/**
 * The symbols whose books are recorded, for StreamChoice. Throws if a named symbol is not recorded.
 * If turnover decides, retries until the exchange answers.
 */
export function chooseDepth(
  wanted: DepthSymbols,
  symbols: readonly string[],
  rest: RestClient,
  adapter: ExchangeAdapter,
  log: Logger,
  signal: AbortSignal,
): Promise<DepthChoice['symbols']> {
  const ask = (): ReturnType<typeof readTurnover> =>
    insist(() => readTurnover(rest, adapter), log, signal)
  return depthSymbols(wanted, symbols, ask)
}

/**
 * Like chooseDepth. `kept`: symbols whose books are already recorded stay among the busiest. The
 * exchange is queried only if there are too few of them.
 */
export async function depthSymbols(
  wanted: DepthSymbols,
  symbols: readonly string[],
  askTurnover: () => Promise<ReadonlyMap<string, number>>,
  kept: readonly string[] = [],
): Promise<DepthChoice['symbols']> {
  switch (wanted.kind) {
    case 'all':
      return 'all'
    case 'tier':
      return symbolsUpToTier(wanted.tier)
    case 'named':
      return requireRecorded(wanted.symbols, symbols)
    case 'busiest': {
      const staying = kept.filter((symbol) => symbols.includes(symbol))
      if (staying.length >= Math.min(wanted.count, symbols.length)) {
        return staying.slice(0, wanted.count)
      }
      const by_symbol = await askTurnover()
      const rankOf = (symbol: string): number =>
        kept.includes(symbol) ? Infinity : (by_symbol.get(symbol) ?? 0)
      const compare = (a: string, b: string): number =>
        rankOf(a) === rankOf(b) ? 0 : rankOf(b) - rankOf(a)
      return symbols.toSorted(compare).slice(0, wanted.count)
    }
  }
}

/** Turnover of the last 24 hours by symbol. Tries once. */
export async function readTurnover(
  rest: RestClient,
  adapter: ExchangeAdapter,
): Promise<ReadonlyMap<string, number>> {
  const { turnover } = adapter
  if (turnover === undefined) throw noTurnover(adapter)
  return turnover.parse((await rest.get(turnover)).body)
}

async function insist<T>(ask: () => Promise<T>, log: Logger, signal: AbortSignal): Promise<T> {
  for (;;) {
    try {
      return await ask()
    } catch (error) {
      if (!(error instanceof OperatorError && error.retryable)) throw error
      log.warn(
        { code: 'listing_failed', error: describeError(error) },
        'Reading from the exchange failed; retrying.',
      )
      await sleep(RETRY_MS, undefined, { signal })
    }
  }
}

function requireRecorded(named: readonly string[], symbols: readonly string[]): readonly string[] {
  const found = named.map(createNameFinder(symbols))
  const missing = named.filter((_, i) => found[i]!.kind !== 'found')
  if (missing.length === 0) return [...new Set(found.flatMap(foundName))]
  throw new OperatorError(
    'depth_symbol_not_recorded',
    `DEPTH_SYMBOLS names ${missing.join(', ')}, which SYMBOLS does not include.`,
    { hint: 'Only recorded symbols can have books: add them to SYMBOLS too.' },
  )
}

function noTurnover({ exchange }: ExchangeAdapter): OperatorError {
  return new OperatorError(
    'no_turnover',
    `DEPTH_SYMBOLS requests the busiest symbols, but this build cannot query them from ${exchange}.`,
    { hint: "Use 'tier', 'all' or a list of symbols." },
  )
}
