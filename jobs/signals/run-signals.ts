/**
 * The job `signals`: keeps marketdata.signals up to date for the symbols in SIGNALS_SYMBOLS. Each
 * symbol has its own progress. A failed symbol does not stop the others; the next run tries again.
 */
import { describeError, OperatorError } from '#core/errors.ts'
import type { Logger } from '#core/node/log.ts'
import type { ObjectStore } from '#core/node/object-store.ts'
import { type Pool, withClient } from '#core/node/pool.ts'
import { fromMillis, micros, SECOND_US, toIso } from '#core/time.ts'
import { runJob, type RunLog, type RunResult } from '../runs/run.ts'
import { dropOldDays } from './old-days.ts'
import {
  announceBooks,
  firstSpan,
  gapsJson,
  type Progress,
  rewindForGaps,
  rewindForLateRows,
  selectTracked,
  type TrackedSymbol,
} from './progress.ts'
import { type KeptSignals, runSymbol } from './symbol-run.ts'

export const SIGNALS_JOB = 'signals'

export interface SignalsOptions {
  readonly pool: Pool
  readonly store: ObjectStore
  /** Names of symbols, on every exchange. */
  readonly symbols: readonly string[]
  /** Days that rows are kept, once the dataset of their day is published. */
  readonly keep_days: number
  /** Whether new signals are queued for the webhook. */
  readonly has_webhook: boolean
  readonly log: Logger
  /** Current time, in milliseconds since 1970. */
  readonly now: () => number
}

export interface SignalsJob {
  /**
   * Does one run and records it in job_runs. An abort ends it early; the next run does the rest.
   * Errors: `run_in_progress`; `signals_failed` if symbols failed, after all others are done.
   */
  run(signal: AbortSignal): Promise<RunResult>
}

/** A run processes whatever is new, so all runs share one window and one lock. */
const WINDOW = 'newest'
/** Rows of runs are deleted after this time [s]. */
const KEEP_S = 86_400
/** Older signals are news to nobody: those of a first run, or of late trades [s]. */
const WEBHOOK_AGE_S = 3_600

/** What its detectors have seen is kept between runs, so that each run reads only new rows. */
export function createSignalsJob(options: SignalsOptions): SignalsJob {
  const { pool, symbols, log, now } = options
  const known = new Map<number, KeptSignals>()
  const runAll = async (run_log: RunLog, signal: AbortSignal): Promise<RunResult> => {
    for (const symbol_id of await rewindForLateRows(pool)) known.delete(symbol_id)
    const tracked = await withClient(pool, (client) => selectTracked(client, symbols))
    const books_end = Math.max(...tracked.map((symbol) => symbol.books_end ?? -Infinity))
    if (Number.isFinite(books_end)) await announceBooks(pool, micros(books_end))
    const failures: string[] = []
    let row_count = 0
    for (const symbol of tracked) {
      if (signal.aborted) break
      try {
        row_count += await runOne(options, symbol, known, signal)
      } catch (error) {
        known.delete(symbol.symbol_id)
        const name = `${symbol.exchange} ${symbol.symbol}`
        failures.push(`${name}: ${describeError(error)}`)
        const facts = { code: 'signals_symbol_failed', symbol: name, error: describeError(error) }
        run_log.warn(facts, 'Cannot compute signals of a symbol; the next run tries again.')
      }
    }
    await dropOldDays(options, run_log)
    if (failures.length > 0) throw signalsFailed(failures)
    return { row_count, byte_count: 0 }
  }
  const run = { job: SIGNALS_JOB, job_window: WINDOW, attempt: 1, keep_s: KEEP_S, now, log }
  return { run: (signal) => runJob(pool, run, (run_log) => runAll(run_log, signal)) }
}

async function runOne(
  { pool, has_webhook, now }: SignalsOptions,
  symbol: TrackedSymbol,
  known: Map<number, KeptSignals>,
  signal: AbortSignal,
): Promise<number> {
  const is_set_back = await rewindForGaps(pool, symbol)
  const progress = await progressOf(pool, symbol)
  if (progress === undefined) return 0
  // Detectors know the gaps that they were created with.
  const is_outdated = is_set_back || !haveSameGaps(symbol, progress)
  const kept = is_outdated ? undefined : known.get(symbol.symbol_id)
  const state = kept ?? { trades: undefined, books: undefined }
  known.set(symbol.symbol_id, state)
  const webhook_from = micros(fromMillis(now()) - WEBHOOK_AGE_S * SECOND_US)
  return runSymbol({
    pool,
    symbol,
    progress,
    kept: state,
    signal,
    webhook_from: has_webhook ? webhook_from : undefined,
  })
}

/** The stored progress, begun if there is none; undefined if there is nothing to compute from. */
async function progressOf(pool: Pool, symbol: TrackedSymbol): Promise<Progress | undefined> {
  const { rows } = await pool.query<Omit<Progress, 'gaps'>>(SELECT_PROGRESS, [symbol.symbol_id])
  if (rows[0] !== undefined) return { ...rows[0], gaps: symbol.progress?.gaps ?? symbol.gaps }
  const first = firstSpan(symbol)
  if (first === undefined) return undefined
  const { trades, books } = first
  await pool.query(
    `insert into marketdata.signal_progress
       (symbol_id, from_ts, trades_to, books_from, books_to, gaps)
     values ($1, $2, $2, $3, $3, $4)`,
    [symbol.symbol_id, toIso(trades), toIso(books), JSON.stringify(gapsJson(symbol.gaps))],
  )
  const { gaps } = symbol
  return { from_ts: trades, trades_to: trades, books_from: books, books_to: books, gaps }
}

const SELECT_PROGRESS = `
  select (extract(epoch from from_ts) * 1000000)::float8 as from_ts,
    (extract(epoch from trades_to) * 1000000)::float8 as trades_to,
    (extract(epoch from books_from) * 1000000)::float8 as books_from,
    (extract(epoch from books_to) * 1000000)::float8 as books_to
  from marketdata.signal_progress where symbol_id = $1`

function haveSameGaps(symbol: TrackedSymbol, { gaps }: Progress): boolean {
  return JSON.stringify(gapsJson(symbol.gaps)) === JSON.stringify(gapsJson(gaps))
}

function signalsFailed(failures: readonly string[]): OperatorError {
  return new OperatorError('signals_failed', `Signals failed: ${failures.join('; ')}`, {
    hint: 'The next run continues where this one ended.',
    retryable: true,
  })
}
