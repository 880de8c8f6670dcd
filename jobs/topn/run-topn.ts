/**
 * The job orderbook_topn: brings every symbol's rows up to its newest depth. Each symbol has its
 * own watermark (orderbook_topn_watermarks). A failed symbol does not stop the others; the next run
 * tries it again.
 */
import { describeError, OperatorError } from '#core/errors.ts'
import type { Logger } from '#core/node/log.ts'
import { type Client, type Pool, withClient } from '#core/node/pool.ts'
import { type Micros, micros, toIso } from '#core/time.ts'
import { runJob, type RunLog, type RunResult } from '../runs/run.ts'
import { type NewDepth, selectDue } from './due-symbols.ts'
import { announceDepthRead, rewindForLateDepth } from './late-depth.ts'
import type { Cadence } from './sampler.ts'
import {
  beginSymbol,
  type DueSymbol,
  readEnd,
  runSymbol,
  type SymbolProgress,
} from './symbol-run.ts'

export const TOPN_JOB = 'orderbook_topn'

export interface TopnOptions {
  readonly pool: Pool
  readonly cadence: Cadence
  readonly log: Logger
  /** Current time, in milliseconds since 1970. */
  readonly now: () => number
}

export interface TopnResult extends RunResult {
  /** Symbols that had new depth. */
  readonly symbol_count: number
}

export interface TopnJob {
  /**
   * Does one run and records it in job_runs. An abort ends it early, between two parts of a symbol;
   * the next run does the rest. Throws `run_in_progress` if another process is running the job, and
   * `topn_failed` if symbols failed, after all others are done.
   */
  run(signal: AbortSignal): Promise<TopnResult>
}

/** A run processes whatever is new, so all runs share one window and one lock. */
const WINDOW = 'newest'
/** A run every half minute gives 2,880 rows a day; older ones are deleted. */
const KEEP_S = 86_400
/** A depth stream without a newer event for this long is considered quiet. */
const QUIET_MS = 20_000

/** The job keeps books in memory between runs, so that each run reads only new depth. */
export function createTopnJob({ pool, cadence, log, now }: TopnOptions): TopnJob {
  const known = new Map<number, SymbolProgress>()
  const newest_since = new Map<number, { readonly newest: Micros; readonly ms: number }>()

  const isQuiet = ({ symbol_id, newest }: NewDepth): boolean => {
    const seen = newest_since.get(symbol_id)
    if (seen?.newest === newest) return now() - seen.ms >= QUIET_MS
    newest_since.set(symbol_id, { newest, ms: now() })
    return false
  }

  const runOne = async (client: Client, due: DueSymbol, signal: AbortSignal): Promise<number> => {
    const row_count = await showNew(client, due, signal)
    if (!signal.aborted) await noteRead(client, due)
    return row_count
  }

  const showNew = async (client: Client, due: DueSymbol, signal: AbortSignal): Promise<number> => {
    const { symbol_id, covered_to } = due
    const kept = known.get(symbol_id)
    // If another process or an operator moved the watermark, the book in memory is outdated.
    const fits = kept !== undefined && kept.covered_to === covered_to
    const progress = fits ? kept : await beginSymbol(client, due, cadence)
    if (progress === undefined) return 0
    known.delete(symbol_id)
    const row_count = await runSymbol(client, due, progress, signal)
    known.set(symbol_id, progress)
    return row_count
  }

  const runAll = async (run_log: RunLog, signal: AbortSignal): Promise<TopnResult> => {
    const late = await rewindForLateDepth(pool)
    for (const symbol_id of late) known.delete(symbol_id)
    if (late.length > 0) {
      run_log.info({ symbol_count: late.length }, 'Rewriting rows of symbols with late depth.')
    }
    const found = await withClient(pool, selectDue)
    const due = found.map((one) => ({ ...one, is_quiet: isQuiet(one) }))
    if (due.length > 0) await announceDepthRead(pool, micros(Math.max(...due.map(readEnd))))
    const failures: string[] = []
    let row_count = 0
    for (const one of due) {
      if (signal.aborted) break
      try {
        row_count += await withClient(pool, (client) => runOne(client, one, signal))
      } catch (error) {
        const { symbol } = one
        failures.push(`${symbol}: ${describeError(error)}`)
        const facts = { code: 'topn_symbol_failed', symbol, error: describeError(error) }
        run_log.warn(facts, 'Cannot write orderbook_topn of a symbol; the next run tries again.')
        // If Postgres itself is down, end the run here: all other symbols would fail too.
        await pool.query('select 1')
      }
    }
    if (failures.length > 0) throw symbolsFailed(failures, due.length)
    return { symbol_count: due.length, row_count, byte_count: 0 }
  }

  return {
    run(signal) {
      const run = { job: TOPN_JOB, job_window: WINDOW, attempt: 1, keep_s: KEEP_S, now, log }
      return runJob(pool, run, (run_log) => runAll(run_log, signal))
    },
  }
}

function symbolsFailed(failures: readonly string[], due_count: number): OperatorError {
  const message = `${failures.length} of ${due_count} symbols failed. The first: ${failures[0]}`
  return new OperatorError('topn_failed', message, {
    hint: 'The next run tries them again. The log of this run names all of them.',
    retryable: true,
  })
}

/** Also for a symbol without a book, so that nothing waits for rows that its depth cannot give. */
async function noteRead(client: Client, due: DueSymbol): Promise<void> {
  await client.query(
    `insert into marketdata.orderbook_topn_watermarks (symbol_id, read_to) values ($1, $2)
     on conflict (symbol_id) do update set read_to = excluded.read_to`,
    [due.symbol_id, toIso(readEnd(due))],
  )
}
