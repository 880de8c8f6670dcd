/** Which symbols this ingestor records: what was asked for, held against what the exchange lists. */
import { setTimeout as sleep } from 'node:timers/promises'
import { describeError, OperatorError } from '#core/errors.ts'
import type { Logger } from '#core/node/log.ts'
import type { Instrument } from '#core/symbols.ts'
import type { IngestorConfig } from './config.ts'
import type { ExchangeAdapter } from './exchanges/adapter.ts'
import { type Shard, symbolsOfShard } from './shard.ts'
import type { RestAnswer, RestClient } from './transport/rest-client.ts'

const LISTING_WEIGHT = 1
const RETRY_MS = 5_000

export interface Listing {
  readonly answer: RestAnswer
  readonly instruments: readonly Instrument[]
}

/** Asks until there is an answer or `signal` is aborted; a refusal is final. */
export async function fetchListing(
  rest: RestClient,
  adapter: ExchangeAdapter,
  log: Logger,
  signal: AbortSignal,
): Promise<Listing> {
  for (;;) {
    try {
      const answer = await rest.get({ path: adapter.instruments_path, weight: LISTING_WEIGHT })
      return { answer, instruments: adapter.parseInstruments(answer.body) }
    } catch (error) {
      if (!(error instanceof OperatorError && error.retryable)) throw error
      log.warn(
        { code: 'listing_failed', error: describeError(error) },
        'The exchange does not give its listing; trying again.',
      )
      await sleep(RETRY_MS, undefined, { signal })
    }
  }
}

/** Throws where a symbol that was named is not listed, or nothing is left to record. */
export function chooseSymbols(
  { symbols, shard }: Pick<IngestorConfig, 'symbols' | 'shard'>,
  instruments: readonly Instrument[],
): readonly string[] {
  const chosen = listedSymbols(symbols, instruments)
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
  instruments: readonly Instrument[],
): readonly string[] {
  const active = instruments.filter((instrument) => instrument.is_active)
  if (wanted === 'all') {
    const chosen = active.filter(
      ({ instrument_type, quote_asset }) => instrument_type === 'perp' && quote_asset === 'USDT',
    )
    if (chosen.length > 0) return chosen.map((instrument) => instrument.symbol)
    throw new OperatorError(
      'no_symbols',
      `The exchange lists ${instruments.length} instruments, none of them an active perpetual in USDT.`,
      { hint: 'Name the symbols in SYMBOLS, or check EXCHANGE_REST_URL.' },
    )
  }
  const listed = new Set(active.map((instrument) => instrument.symbol))
  const unknown = wanted.filter((symbol) => !listed.has(symbol))
  if (unknown.length === 0) return wanted
  throw new OperatorError(
    'symbol_not_listed',
    `The exchange lists no active ${unknown.join(', ')} among its ${instruments.length} instruments.`,
    { hint: "Correct SYMBOLS; names are the exchange's own, such as BTCUSDT." },
  )
}
