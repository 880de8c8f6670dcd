/** The composition root: turns the worker's bindings into the dependencies of the app. */
import { bookAt } from '#core/book-at.ts'
import { HOUR_US, hourStart, type Micros } from '#core/time.ts'
import { createRevocations, type AccessBindings } from './access/bindings.ts'
import type { Access } from './access/guard.ts'
import { createVerifier } from '#core/access-token.ts'
import { createApp } from './app.ts'
import { createAnswerCache } from './cache/answer-cache.ts'
import type { Flights } from './cache/flights.ts'
import { createKeptAnswers } from './cache/kept-answers.ts'
import { createKnownAnswers } from './known-answers.ts'
import { createNewQuotes } from './new-quotes.ts'
import { createByteCache, no_byte_cache } from './cache/byte-cache.ts'
import type { HttpCache } from './cache/http-cache.ts'
import { createClusterEngine } from './clusters/cluster-engine.ts'
import { parseConfig } from './config.ts'
import type { App } from './deps.ts'
import { readArchivedHours } from './lake/day-index.ts'
import { createInstrumentList } from './lake/instrument-list.ts'
import { createParquetReader } from './lake/parquet-reader.ts'
import { readNewestRow, readRowsBefore, readSymbolHour } from './lake/symbol-hour.ts'
import { createLiveServer } from './live/live-server.ts'
import { BATCH_MEMORY, createMemoryGate, LAKE_MEMORY, PAGE_MEMORY } from './memory/memory-gate.ts'
import { sendBodies, type OpenBody } from './memory/send-body.ts'
import { selectArchivedHours } from './queries/archived-hours.ts'
import { selectCandles } from './queries/candles.ts'
import { selectCoverage } from './queries/coverage.ts'
import { createDatabase, createGatewayBreaker } from './queries/database.ts'
import { depthSource } from './queries/depth-source.ts'
import { selectDroppedHours } from './queries/dropped-hours.ts'
import { findSymbol } from './queries/find-symbol.ts'
import { selectLastRows } from './queries/heatmap.ts'
import { selectGaps } from './queries/gaps.ts'
import { selectJobLog } from './queries/job-log.ts'
import { selectJobRuns } from './queries/job-runs.ts'
import { createAskGateway } from './queries/gateway-quote.ts'
import { selectLatestQuote, selectRecentQuote } from './queries/latest-quote.ts'
import { selectNewestQuoteTime } from './queries/newest-quote.ts'
import { selectOverview } from './queries/overview.ts'
import { selectPriceStats } from './queries/price-stats.ts'
import { selectPriceTickers } from './queries/price-tickers.ts'
import { selectPrices } from './queries/prices.ts'
import { selectQuotesAt } from './queries/quotes-at.ts'
import { selectQuotesBefore } from './queries/quotes-before.ts'
import { selectRange } from './queries/range.ts'
import { selectSearch } from './queries/search.ts'
import { selectSignalProgress, selectSignals } from './queries/signals.ts'
import { selectSymbolStats } from './queries/symbol-stats.ts'
import { selectSymbols } from './queries/symbols.ts'
import { selectValidation } from './queries/validation.ts'
import { archivedBookAt, withArchivedDepth } from './range/archived-depth.ts'
import {
  createArchivedFinder,
  createInstrumentFinder,
  isAway,
  symbolsOf,
} from './range/instruments.ts'
import { createLatestQuote } from './range/latest-quote.ts'
import { createQuotesAt } from './range/quotes-at.ts'
import { createQuotesBefore } from './range/quotes-before.ts'
import { createCandleReader } from './range/read-candles.ts'
import { createDatasetReader } from './range/read-dataset.ts'
import { createRangeReader, databaseAway, type RangeSources } from './range/read-range.ts'
import { createTopHeatmap, readBookHeatmap } from './range/read-heatmap.ts'
import { createSignalReader } from './range/read-signals.ts'
import { createSearch } from './range/search.ts'
import { storedDepth } from './range/stored-depth.ts'
import { createTradesWithQuotes } from './range/trades-with-quotes.ts'
import { createDatasets } from './store/datasets.ts'
import { createLakeTables } from './store/lake-tables.ts'
import { createObjectReader } from './store/object-store.ts'
import { createUrlSigner } from './store/sign-url.ts'
import type { RequestFacts } from './telemetry/request-facts.ts'

export interface Surroundings {
  /** The cache of the edge location. Without it nothing is cached, not even in memory. */
  readonly cache?: HttpCache
  /** Without them no token counts as revoked, and there are no rate limits. */
  readonly access?: AccessBindings
  /** Without it the runtime sends the bodies. */
  readonly open_body?: OpenBody
  /** Reaches the live server. The global one, unless the runtime needs another for WebSockets. */
  readonly fetch_live?: typeof fetch
  now(): Micros
  /** Receives every answer from 500 up, with the error that caused it. */
  report(error: unknown, request: RequestFacts): void
  /** Receives every request of a caller. `slow_ms`: from then on it is slow. */
  readonly note?: (request: RequestFacts, slow_ms: number) => void
}

/** Throws an OperatorError that names every missing or wrong binding. */
export function composeApp(bindings: unknown, surroundings: Surroundings): App {
  const { now, report, note, cache, access, open_body } = surroundings
  const config = parseConfig(bindings)
  const breaker = createGatewayBreaker()
  const db = createDatabase(config, breaker)
  const { gateway_url, gateway_secret } = config
  const store = createObjectReader(config.store)
  const memory = createMemoryGate(PAGE_MEMORY, Date.now)
  const lake_memory = createMemoryGate(LAKE_MEMORY, Date.now)
  // A page of features reads a manifest while it holds its own memory, so it needs another gate.
  const datasets = createDatasets(store, lake_memory)
  const lake = createParquetReader(
    store,
    cache === undefined ? no_byte_cache : createByteCache(cache),
    lake_memory,
  )
  const sources: RangeSources = {
    now,
    hot: (args) => selectRange(db, args),
    archivedHours: (args) => selectArchivedHours(db, args),
    archivedHoursOfStore: (args) => readArchivedHours(store, args),
    symbolHour: (hour, args, budget) => readSymbolHour(lake, hour, args, budget),
    newestRow: (hour, args, having, budget) => readNewestRow(lake, hour, args, having, budget),
  }
  const readRange = createRangeReader(sources)
  const instruments = createInstrumentFinder(
    (symbol, exchange) => findSymbol(db, symbol, exchange),
    now,
  )
  const findInstrument = instruments.find
  const listInstruments = createInstrumentList(store, now)
  const noteRequest = (request: RequestFacts): void => note?.(request, config.slow_request_ms)
  const access_control: Access = {
    public_scopes: config.public_scopes,
    verifyToken: createVerifier(config.token_secrets),
    isRevoked: access ? createRevocations(access.revoked_tokens, now) : async () => false,
    limitToken: access?.limitToken ?? unlimited,
    limitAddress: access?.limitAddress ?? unlimited,
    now,
  }
  const kept = createKeptAnswers()
  const flights: Flights = new Map()
  return createApp({
    now,
    report,
    note: noteRequest,
    access: access_control,
    cors_origins: config.cors_origins,
    memory,
    batches: createMemoryGate(BATCH_MEMORY, Date.now),
    send_bodies: sendBodies(memory, open_body, Date.now),
    answer_cache: cache && createAnswerCache({ now, cache, kept, flights }),
    known_answers:
      cache && createKnownAnswers({ access: access_control, kept, now, note: noteRequest }),
    new_quotes:
      cache &&
      createNewQuotes({
        access: access_control,
        kept,
        flights,
        now,
        note: noteRequest,
        // Without a secret it is not ours.
        askGateway:
          gateway_secret === undefined
            ? undefined
            : createAskGateway({ gateway_url, gateway_secret, breaker }),
        knownInstrument: (symbol) => instruments.known(symbol, null),
        async recentQuote({ id }, at, from) {
          const row = await selectRecentQuote(db, id, at, from)
          // A file may have a newer one.
          return row !== undefined && (row['ts_exchange'] as Micros) >= hourStart(at)
            ? row
            : undefined
        },
      }),
    findInstrument,
    findArchived: createArchivedFinder(findInstrument, listInstruments),
    symbols: (args) => symbolsOf(args, () => selectSymbols(db, args), listInstruments),
    latestQuote: createLatestQuote({
      ...sources,
      hot: (symbol_id, at, from) => selectLatestQuote(db, symbol_id, at, from),
      droppedHours: (args) => selectDroppedHours(db, args),
    }),
    quotesAt: createQuotesAt({
      ...sources,
      hotQuotes: (args) => selectQuotesAt(db, args),
      listInstruments,
    }),
    search: createSearch((text, exchange) => selectSearch(db, text, exchange), listInstruments),
    readRange,
    readTradesWithQuotes: createTradesWithQuotes(
      readRange,
      createQuotesBefore({
        ...sources,
        hotQuotesBefore: (args) => selectQuotesBefore(db, args),
        rowsBefore: (hour, args, budget) => readRowsBefore(lake, hour, args, budget),
      }),
    ),
    readDataset: createDatasetReader(datasets, lake),
    readCandles: createCandleReader({
      ...sources,
      candles: (args) => selectCandles(db, args),
      seconds: (args) => selectRange(db, args),
    }),
    readTopHeatmap: createTopHeatmap({
      ...sources,
      lastRows: (args) => selectLastRows(db, args),
    }),
    readBookHeatmap: async (instrument, wanted, range) => {
      const { id } = instrument
      const max_age_us = BOOK_AGE_US
      try {
        if (id === null) throw databaseAway()
        const hot = depthSource(db, id)
        const options = { instrument: { ...instrument, id }, max_age_us, hot, sources, readRange }
        return await withArchivedDepth(options, (depth) => readBookHeatmap(depth, wanted, range))
      } catch (error) {
        if (!isAway(error)) throw error
        const depth = storedDepth({ instrument, max_age_us, sources, readRange })
        return readBookHeatmap(depth, wanted, range)
      }
    },
    readSignals: createSignalReader({
      signals: (args) => selectSignals(db, args),
      progress: (symbol_id) => selectSignalProgress(db, symbol_id),
      datasets,
      lake,
    }),
    bookAt: async (instrument, ts, max_age_us) => {
      const { id } = instrument
      try {
        if (id === null) throw databaseAway()
        const hot = depthSource(db, id)
        const options = { instrument: { ...instrument, id }, max_age_us, hot, sources, readRange }
        return await archivedBookAt(options, ts)
      } catch (error) {
        if (!isAway(error)) throw error
        return bookAt(storedDepth({ instrument, max_age_us, sources, readRange }), ts)
      }
    },
    overview: () => selectOverview(db),
    gaps: (args) => selectGaps(db, args),
    prices: (args) => selectPrices(db, args),
    priceStats: (ticker) => selectPriceStats(db, ticker),
    priceTickers: () => selectPriceTickers(db),
    jobLog: (id) => selectJobLog(db, id),
    coverage: (args) => selectCoverage(db, args),
    symbolStats: (since, limit) => selectSymbolStats(db, since, limit),
    jobRuns: (args) => selectJobRuns(db, args),
    validation: () => selectValidation(db),
    newestQuoteTime: (since) => selectNewestQuoteTime(db, since),
    checkStore: () => store.check(),
    live:
      config.live_url === undefined
        ? undefined
        : createLiveServer({
            ...config,
            live_url: config.live_url,
            now,
            fetch: surroundings.fetch_live ?? fetch,
          }),
    clusters: config.clusters && createClusterEngine(config.clusters),
    datasets,
    lake: createLakeTables(config.store, store, lake_memory),
    signUrl: createUrlSigner(config.store, config.signed_url_ttl_s),
  })
}

/** How old the newest update before a heatmap may be. */
const BOOK_AGE_US = HOUR_US

const unlimited = async (): Promise<boolean> => true
