/**
 * The job index_prices: requests the price of every index once and stores new ones. A failed index
 * does not keep the others from being stored; the run then names it in its error.
 */
import { describeError, OperatorError } from '#core/errors.ts'
import type { Logger } from '#core/node/log.ts'
import type { Pool } from '#core/node/pool.ts'
import { storePrices } from '#core/node/prices.ts'
import { fromMillis, toIso } from '#core/time.ts'
import { runJob, type RunLog, type RunResult } from '../runs/run.ts'
import { type AskSettings, getIndexPrice } from './get-index-price.ts'

export const INDEX_PRICES_JOB = 'index_prices'

export interface IndexPricesConfig {
  readonly rest_url: string
  readonly names: readonly string[]
}

export interface IndexPricesOptions extends IndexPricesConfig {
  readonly pool: Pool
  readonly log: Logger
  /** Milliseconds since 1970. */
  readonly now: () => number
  readonly random: () => number
  readonly signal: AbortSignal
  readonly settings?: Partial<AskSettings>
}

/** A run belongs to the minute in which it begins, such as `2026-01-18T20:29`. */
export function runIndexPrices(options: IndexPricesOptions): Promise<RunResult> {
  const { pool, log, now } = options
  const job_window = toIso(fromMillis(now())).slice(0, 'YYYY-MM-DDThh:mm'.length)
  const run = { job: INDEX_PRICES_JOB, job_window, attempt: 1, now, log }
  return runJob(pool, run, (run_log) => fetchAndStore(options, run_log))
}

async function fetchAndStore(options: IndexPricesOptions, log: RunLog): Promise<RunResult> {
  const asked = await Promise.allSettled(
    options.names.map((name) =>
      getIndexPrice(name, {
        ...options,
        onRetry: (facts) => log.warn({ code: 'index_price_retry', ...facts }, 'Requesting again.'),
      }),
    ),
  )
  const values = asked.flatMap((result) => (result.status === 'fulfilled' ? [result.value] : []))
  const row_count = await storePrices(options.pool, values)
  for (const { symbol, price, ts_exchange } of values) {
    log.info({ symbol, price, ts_exchange: toIso(ts_exchange) }, 'Price received.')
  }
  const errors = asked.flatMap((result) => (result.status === 'rejected' ? [result.reason] : []))
  if (errors.length === 1) throw errors[0]
  if (errors.length > 1) {
    throw new OperatorError('index_prices_failed', errors.map(describeError).join(' '), {
      retryable: true,
    })
  }
  return { row_count, byte_count: 0 }
}
