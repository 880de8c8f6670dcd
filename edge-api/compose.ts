/** The composition root: turns the worker's bindings into the functions that the app needs. */
import type { Micros } from '#core/time.ts'
import { createApp } from './app.ts'
import { parseConfig } from './config.ts'
import { createDatabase } from './database.ts'
import { createDatasets } from './datasets.ts'
import type { App } from './deps.ts'
import { createInstrumentFinder } from './instruments.ts'
import { createObjectReader } from './object-store.ts'
import { findSymbol } from './queries/find-symbol.ts'
import { selectGaps } from './queries/gaps.ts'
import { selectJobRuns } from './queries/job-runs.ts'
import { selectLatestQuote } from './queries/latest-quote.ts'
import { selectNewestQuoteTime } from './queries/newest-quote.ts'
import { selectQuotes } from './queries/quotes.ts'
import { selectSymbols } from './queries/symbols.ts'
import { selectTrades } from './queries/trades.ts'
import { createUrlSigner } from './sign-url.ts'

export interface Surroundings {
  now(): Micros
  /** Told of every error that is our fault. */
  report(error: unknown): void
}

/** Throws an OperatorError that names every binding that is missing or wrong. */
export function composeApp(bindings: unknown, { now, report }: Surroundings): App {
  const config = parseConfig(bindings)
  const db = createDatabase(config)
  const store = createObjectReader(config.store)
  return createApp({
    now,
    report,
    findInstrument: createInstrumentFinder(
      (symbol, exchange) => findSymbol(db, symbol, exchange),
      now,
    ),
    symbols: (args) => selectSymbols(db, args),
    latestQuote: (symbol_id, at) => selectLatestQuote(db, symbol_id, at),
    quotes: (args) => selectQuotes(db, args),
    trades: (args) => selectTrades(db, args),
    gaps: (args) => selectGaps(db, args),
    jobRuns: (args) => selectJobRuns(db, args),
    newestQuoteTime: (since) => selectNewestQuoteTime(db, since),
    checkStore: () => store.check(),
    datasets: createDatasets(store),
    signUrl: createUrlSigner(config.store, config.signed_url_ttl_s),
  })
}
