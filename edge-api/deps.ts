/** What the routes need, as functions: worker.ts makes them from bindings, tests as they like. */
import type { Context, MiddlewareHandler } from 'hono'
import type { OpenAPIHono } from '@hono/zod-openapi'
import type { BookAt } from '#core/book-at.ts'
import type { Micros } from '#core/time.ts'
import type { Access } from './access/guard.ts'
import type { MemoryGate } from './memory/memory-gate.ts'
import type { CoverageArgs, CoverageRow } from './queries/coverage.ts'
import type { GapRow, GapsArgs } from './queries/gaps.ts'
import type { JobLogRow } from './queries/job-log.ts'
import type { JobRunRow, JobRunsArgs } from './queries/job-runs.ts'
import type { PriceStatsRow } from './queries/price-stats.ts'
import type { PriceRow, PricesArgs } from './queries/prices.ts'
import type { SymbolStatsRow } from './queries/symbol-stats.ts'
import type { SymbolRow, SymbolsArgs } from './queries/symbols.ts'
import type { ArchivedInstrument, FindArchived, FindInstrument } from './range/instruments.ts'
import type { LatestQuote } from './range/latest-quote.ts'
import type { ReadCandles } from './range/read-candles.ts'
import type { ReadDataset } from './range/read-dataset.ts'
import type { ReadRange } from './range/read-range.ts'
import type { Datasets } from './store/datasets.ts'
import type { SignUrl } from './store/sign-url.ts'

export interface Deps {
  readonly access: Access
  /** Origins whose pages may read the answers; * is all. */
  readonly cors_origins: readonly string[]
  /** Keeps answers and joins callers; without it every request goes to its route. */
  readonly answer_cache: MiddlewareHandler | undefined
  now(): Micros
  /** What pages and bodies may hold, all callers together. */
  readonly memory: MemoryGate
  /** What batches of /mcp may hold, all callers together. */
  readonly batches: MemoryGate
  /** Hands bodies to callers part by part. */
  readonly send_bodies: MiddlewareHandler
  /** Told of every error that is our fault. */
  report(error: unknown): void
  findInstrument: FindInstrument
  findArchived: FindArchived
  symbols(args: SymbolsArgs): Promise<readonly SymbolRow[]>
  latestQuote: LatestQuote
  readRange: ReadRange
  readDataset: ReadDataset
  readCandles: ReadCandles
  /** A book whose last change is older than `max_age_us` need not be found. */
  bookAt(instrument: ArchivedInstrument, ts: Micros, max_age_us: number): Promise<BookAt>
  gaps(args: GapsArgs): Promise<readonly GapRow[]>
  prices(args: PricesArgs): Promise<readonly PriceRow[]>
  priceStats(ticker: string): Promise<PriceStatsRow>
  priceTickers(): Promise<readonly string[]>
  jobLog(id: number): Promise<JobLogRow | undefined>
  coverage(args: CoverageArgs): Promise<readonly CoverageRow[]>
  symbolStats(since: Micros, limit: number): Promise<readonly SymbolStatsRow[]>
  jobRuns(args: JobRunsArgs): Promise<readonly JobRunRow[]>
  /** When the newest quote of any instrument was made; null where there is none since `since`. */
  newestQuoteTime(since: Micros): Promise<Micros | null>
  /** Throws where the object store does not answer. */
  checkStore(): Promise<void>
  datasets: Datasets
  signUrl: SignUrl
}

export type App = OpenAPIHono

/** Sets how long an answer may be kept; without it nothing may be. */
export function cacheFor(c: Context, seconds: number): void {
  c.header('cache-control', seconds === 0 ? 'no-cache' : `public, max-age=${seconds}`)
}

/** For what changes with the market: kept a second, shown two more while it is made anew. */
export function cacheLatest(c: Context): void {
  c.header('cache-control', 'public, max-age=1, stale-while-revalidate=2')
}
