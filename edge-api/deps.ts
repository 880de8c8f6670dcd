/** Dependencies of the routes. compose.ts builds them from the worker's bindings. */
import type { Context, MiddlewareHandler } from 'hono'
import type { OpenAPIHono } from '@hono/zod-openapi'
import type { BookAt } from '#core/book-at.ts'
import type { Micros } from '#core/time.ts'
import type { Report } from '#core/validation.ts'
import type { Access } from './access/guard.ts'
import type { KnownAnswers } from './known-answers.ts'
import type { NewQuotes } from './new-quotes.ts'
import type { ClusterEngine } from './clusters/cluster-engine.ts'
import type { LiveServer } from './live/live-server.ts'
import type { MemoryGate } from './memory/memory-gate.ts'
import type { CoverageArgs, CoverageRow } from './queries/coverage.ts'
import type { GapRow, GapsArgs } from './queries/gaps.ts'
import type { JobLogRow } from './queries/job-log.ts'
import type { JobRunRow, JobRunsArgs } from './queries/job-runs.ts'
import type { OverviewRow } from './queries/overview.ts'
import type { PriceStatsRow } from './queries/price-stats.ts'
import type { PriceRow, PricesArgs } from './queries/prices.ts'
import type { SymbolStatsRow } from './queries/symbol-stats.ts'
import type { SymbolRow, SymbolsArgs } from './queries/symbols.ts'
import type { ArchivedInstrument, FindArchived, FindInstrument } from './range/instruments.ts'
import type { LatestQuote } from './range/latest-quote.ts'
import type { ReadCandles } from './range/read-candles.ts'
import type { ReadDataset } from './range/read-dataset.ts'
import type { ReadRange } from './range/read-range.ts'
import type { QuotesAt } from './range/quotes-at.ts'
import type { Search } from './range/search.ts'
import type { HeatmapWanted, HeatRow, ReadHeatmap } from './range/read-heatmap.ts'
import type { ReadSignals } from './range/read-signals.ts'
import type { Datasets } from './store/datasets.ts'
import type { LakeTables } from './store/lake-tables.ts'
import type { SignUrl } from './store/sign-url.ts'
import type { RequestFacts } from './telemetry/request-facts.ts'

export interface Deps {
  readonly access: Access
  /** Origins whose pages may read the answers; * means all. */
  readonly cors_origins: readonly string[]
  /** Caches answers and joins concurrent requests; undefined: every request goes to its route. */
  readonly answer_cache: MiddlewareHandler | undefined
  /** Answers again what was answered before; undefined: the app answers every request. */
  readonly known_answers: KnownAnswers | undefined
  /** Answers newest quotes ahead of the app; undefined: the app answers them. */
  readonly new_quotes: NewQuotes | undefined
  now(): Micros
  /** Limits the memory of pages and bodies, over all requests. */
  readonly memory: MemoryGate
  /** Limits the memory of /mcp batches, over all requests. */
  readonly batches: MemoryGate
  /** Sends bodies to callers in parts. */
  readonly send_bodies: MiddlewareHandler
  /** Receives every answer from 500 up, with the error that caused it. */
  report(error: unknown, request: RequestFacts): void
  /** Receives every request of a caller. */
  note(request: RequestFacts): void
  findInstrument: FindInstrument
  findArchived: FindArchived
  symbols(args: SymbolsArgs): Promise<readonly SymbolRow[]>
  latestQuote: LatestQuote
  /** Newest quotes of many instruments at a time. */
  quotesAt: QuotesAt
  search: Search
  readRange: ReadRange
  /** Trades, each with the quote before it. */
  readTradesWithQuotes: ReadRange
  readDataset: ReadDataset
  readCandles: ReadCandles
  readSignals: ReadSignals
  readTopHeatmap: ReadHeatmap
  /** Levels within `range` percent of the mid. */
  readBookHeatmap(
    instrument: ArchivedInstrument,
    wanted: HeatmapWanted,
    range: number,
  ): Promise<readonly HeatRow[]>
  /** May skip a book whose newest update is older than `max_age_us`. */
  bookAt(instrument: ArchivedInstrument, ts: Micros, max_age_us: number): Promise<BookAt>
  overview(): Promise<readonly OverviewRow[]>
  gaps(args: GapsArgs): Promise<readonly GapRow[]>
  prices(args: PricesArgs): Promise<readonly PriceRow[]>
  priceStats(ticker: string): Promise<PriceStatsRow>
  priceTickers(): Promise<readonly string[]>
  jobLog(id: number): Promise<JobLogRow | undefined>
  coverage(args: CoverageArgs): Promise<readonly CoverageRow[]>
  symbolStats(since: Micros, limit: number): Promise<readonly SymbolStatsRow[]>
  jobRuns(args: JobRunsArgs): Promise<readonly JobRunRow[]>
  /** The newest stored report; undefined if there is none. */
  validation(): Promise<Report | undefined>
  /** Time of the newest quote of any instrument; null if there is none since `since`. */
  newestQuoteTime(since: Micros): Promise<Micros | null>
  /** Throws if the object store does not respond. */
  checkStore(): Promise<void>
  /** Undefined: there is no live server. */
  readonly live: LiveServer | undefined
  /** Undefined: there is no cluster engine. */
  readonly clusters: ClusterEngine | undefined
  datasets: Datasets
  /** Iceberg tables. */
  readonly lake: LakeTables
  signUrl: SignUrl
}

export type App = OpenAPIHono

/** Sets how long an answer may be cached. Answers without it are not cached. */
export function cacheFor(c: Context, seconds: number): void {
  c.header('cache-control', seconds === 0 ? 'no-cache' : `public, max-age=${seconds}`)
}

/** For answers that change with the market: fresh for 1 s, stale for 2 s more while revalidated. */
export function cacheLatest(c: Context): void {
  c.header('cache-control', 'public, max-age=1, stale-while-revalidate=2')
}
