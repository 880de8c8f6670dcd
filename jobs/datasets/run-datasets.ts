/**
 * The job `datasets`: builds candles, clusters, trades, quotes and signals of one UTC day and
 * publishes them. Like the job `features`, its result is a function of the day's rows: equal rows
 * give equal bytes.
 */
import { withDay } from '../day/day.ts'
import { noData } from '../day/days.ts'
import { buildMarketFiles } from './build/market-files.ts'
import {
  type DayJobOptions,
  type DayResult,
  publishSet,
  type PublishedSet,
  runDayJob,
} from './day-job.ts'
import { symbolCoverage } from './files/coverage.ts'

export const DATASETS_JOB = 'datasets'

/**
 * Publishes candles, clusters, trades, quotes and signals. Errors: `day_in_future`; `no_data` if
 * nothing was recorded in the day; `run_in_progress`. Needs two connections of the pool.
 */
export function runDatasets(options: DayJobOptions): Promise<DayResult> {
  return runDayJob(DATASETS_JOB, options, async (run) => {
    const { pool, date } = options
    const { dir, complete: is_complete, log, signal, onSymbol } = run
    const { built, inputs } = await withDay(options, date, async (day) => {
      if (day.symbols.length === 0) {
        await day.release()
        throw await noData(pool, date)
      }
      log.info(
        { symbol_count: day.symbols.length },
        'Building candles, clusters, trades, quotes and signals.',
      )
      const { revised_hours, ledger_sha256 } = day
      return {
        built: await buildMarketFiles({ day, dir, date, is_complete, signal, onSymbol }),
        inputs: { fit: null, revised_hours, ledger_sha256 },
      }
    })
    const sets: PublishedSet[] = []
    for (const { summaries, ...set } of built) {
      const coverage = summaries.map(({ summary, rows }) => symbolCoverage(summary, rows))
      sets.push(await publishSet(options, run, { ...set, coverage }, inputs))
    }
    return { row_count: sets.reduce((sum, { row_count }) => sum + row_count, 0), sets }
  })
}
