/**
 * The job `datasets`: builds candles, clusters, trades, quotes, bars, barrier labels and signals of
 * one UTC day, and lob_10 and depth of chosen symbols, and publishes them. It also stores what the
 * bars and normalisers of the next day follow from. Like the job `features`, its result is a
 * function of the day's rows: equal rows give equal bytes.
 */
import { addDays } from '#core/time.ts'
import { BARS } from '../bars/columns.ts'
import { BAR_FIT } from '../bars/fit.ts'
import { LOB_10 } from '../lob/columns.ts'
import { LOB_FIT } from '../lob/fit.ts'
import type { DayFit } from '../day/fit-file.ts'
import { withDay } from '../day/day.ts'
import { noData } from '../day/days.ts'
import { buildDepth } from './build/depth-day.ts'
import { buildLob } from './build/lob-day.ts'
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

/** Settings that hold for every day. */
export interface DatasetsSettings {
  /** Symbols for which lob_10 is built. */
  readonly lob_symbols: readonly string[]
  /** Symbols for which depth is built. */
  readonly depth_symbols: readonly string[]
}

export interface DatasetsOptions extends DayJobOptions, Partial<DatasetsSettings> {}

/**
 * Publishes the datasets of daily-sets.ts (MARKET_DAY_SETS). Errors: `day_in_future`; `no_data` if
 * nothing was recorded in the day; `run_in_progress`. Needs two connections of the pool.
 */
export function runDatasets(options: DatasetsOptions): Promise<DayResult> {
  return runDayJob(DATASETS_JOB, options, async (run) => {
    const { pool, store, date, lob_symbols = [], depth_symbols = [] } = options
    const fit = await BAR_FIT.read(store, addDays(date, -1))
    const traded_before = fit?.symbols ?? []
    const lob_fit = await LOB_FIT.read(store, addDays(date, -1))
    const { dir, complete: is_complete, log, signal, onSymbol } = run
    const { built, lob, depth, inputs } = await withDay(options, date, async (day) => {
      if (day.symbols.length === 0) {
        await day.release()
        throw await noData(pool, date)
      }
      log.info(
        { symbol_count: day.symbols.length },
        'Building candles, clusters, trades, quotes, bars, barrier labels and signals.',
      )
      const { revised_hours, ledger_sha256 } = day
      await day.releaseIfArchived()
      const common = { day, dir, date, signal, onSymbol }
      return {
        built: await buildMarketFiles({
          ...common,
          is_complete,
          traded_before,
        }),
        lob: await buildLob({ ...common, lob_symbols, moments_before: lob_fit?.symbols ?? [] }),
        depth: await buildDepth({ ...common, depth_symbols }),
        inputs: { revised_hours, ledger_sha256 },
      }
    })
    const fits = new Map<string, Pick<DayFit<unknown>, 'key' | 'sha256'> | undefined>([
      [BARS.dataset, fit],
      [LOB_10.dataset, lob_fit],
    ])
    const sets: PublishedSet[] = []
    for (const { summaries, ...set } of [
      ...built.sets,
      ...(lob.set === undefined ? [] : [lob.set]),
      ...(depth === undefined ? [] : [depth]),
    ]) {
      const coverage = summaries.map(({ summary, rows }) => symbolCoverage(summary, rows))
      const of_set = fits.get(set.dataset)
      const named = of_set === undefined ? null : { key: of_set.key, sha256: of_set.sha256 }
      sets.push(await publishSet(options, run, { ...set, coverage }, { ...inputs, fit: named }))
    }
    // An incomplete day leaves no fit: the next day would not be rebuilt when it changes.
    if (is_complete) await BAR_FIT.put(store, date, built.traded)
    if (is_complete && lob.set !== undefined) await LOB_FIT.put(store, date, lob.moments)
    return { row_count: sets.reduce((sum, { row_count }) => sum + row_count, 0), sets }
  })
}
