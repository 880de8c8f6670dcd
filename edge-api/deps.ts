/** What the routes need, as functions: worker.ts makes them from bindings, tests as they like. */
import type { Context } from 'hono'
import type { OpenAPIHono } from '@hono/zod-openapi'
import type { Micros } from '#core/time.ts'
import type { Datasets } from './datasets.ts'
import type { GapRow, GapsArgs } from './queries/gaps.ts'
import type { JobRunRow, JobRunsArgs } from './queries/job-runs.ts'
import type { QuoteRow, RangeArgs } from './queries/quotes.ts'
import type { SymbolRow, SymbolsArgs } from './queries/symbols.ts'
import type { TradeRow } from './queries/trades.ts'
import type { SignUrl } from './sign-url.ts'
import type { FindInstrument } from './instruments.ts'

export interface Deps {
  now(): Micros
  /** Told of every error that is our fault. */
  report(error: unknown): void
  findInstrument: FindInstrument
  symbols(args: SymbolsArgs): Promise<readonly SymbolRow[]>
  latestQuote(symbol_id: number, now: Micros): Promise<QuoteRow | undefined>
  quotes(args: RangeArgs): Promise<readonly QuoteRow[]>
  trades(args: RangeArgs): Promise<readonly TradeRow[]>
  gaps(args: GapsArgs): Promise<readonly GapRow[]>
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
