/**
 * Builds the files of a day's feature datasets on disk, symbol by symbol in the day's order, so
 * that memory holds only a few symbols' days.
 */
import { join } from 'node:path'
import type { DatasetFile } from '#core/dataset.ts'
import { FEATURE_SETS, type FeatureSet } from '#core/features.ts'
import { dayRange, type Day } from '#core/time.ts'
import type { SymbolSummary } from '../../day/coverage.ts'
import type { DaySymbol } from '../../day/events.ts'
import { exchangeDays } from '../../day/exchange-day.ts'
import type { SymbolFit } from '../../features/fit/fit.ts'
import { createDayFiles, type DayFiles } from '../files/day-files.ts'
import { namesOf, placesOf } from '../files/names.ts'
import { inOrder, type Builder } from './builders.ts'
import type { BuildTask } from './made-day.ts'

export interface BuildOptions {
  readonly dir: string
  readonly date: Day
  readonly symbols: readonly DaySymbol[]
  /** Symbols for which features_100ms is built. */
  readonly symbols_100ms: readonly string[]
  /** Whether features_1s_f32 is built too. */
  readonly with_f32: boolean
  /** Fits of the day before. */
  readonly fits: readonly SymbolFit[]
  /** The day is over, so it leaves fits for the next. */
  readonly is_complete: boolean
  readonly builder: Builder
  readonly onSymbol: (done_count: number, symbol_count: number) => void
}

/** A dataset's day on disk. */
export interface BuiltSet {
  readonly set: FeatureSet
  readonly dir: string
  readonly row_count: number
  readonly files: readonly DatasetFile[]
  readonly summaries: readonly SymbolSummary[]
}

export interface BuiltDay {
  /** features_1s first. */
  readonly sets: readonly [BuiltSet, ...BuiltSet[]]
  /** The day's fits for the next day, in the day's order; empty if the day is not over. */
  readonly fits: readonly SymbolFit[]
}

export async function buildFiles(options: BuildOptions): Promise<BuiltDay> {
  const { symbols, symbols_100ms, with_f32, builder, onSymbol } = options
  const chosen = symbols.filter(({ symbol }) => symbols_100ms.includes(symbol))
  const symbol_count = symbols.length + chosen.length
  const fits: SymbolFit[] = []
  const { features_1s, labels_1s, features_1s_f32 } = FEATURE_SETS
  const [features, ...others] = await withFiles(
    options,
    symbols,
    [features_1s, labels_1s, ...(with_f32 ? [features_1s_f32] : [])],
    async (files, summaries) => {
      // One more than the threads, because one day is being written.
      const tasks = tasksOf(options, symbols, 'features_1s')
      const days = inOrder(builder, tasks, builder.thread_count + 1)
      for await (const day of days) {
        const { features: of_day, labels: ahead, features_f32: single, fit, ...summary } = day
        await files[0]!.write(summary, of_day)
        await files[1]!.write(summary, ahead!)
        if (single !== undefined) await files[2]!.write(summary, single)
        const { exchange, symbol } = summary
        if (fit !== undefined) fits.push({ exchange, symbol, fit })
        summaries.push(summary)
        onSymbol(summaries.length, symbol_count)
      }
    },
  )
  if (chosen.length === 0) return { sets: [features!, ...others], fits }
  const [features_100ms] = await withFiles(
    options,
    chosen,
    [FEATURE_SETS.features_100ms],
    async (files, summaries) => {
      // These days are large: one is computed while the one before it is written.
      for await (const day of inOrder(builder, tasksOf(options, chosen, 'features_100ms'), 1)) {
        const { features: of_day, labels: _labels, features_f32: _f32, fit: _fit, ...summary } = day
        await files[0]!.write(summary, of_day)
        summaries.push(summary)
        onSymbol(symbols.length + summaries.length, symbol_count)
      }
    },
  )
  return { sets: [features!, ...others, features_100ms!], fits }
}

/** Opens the datasets' files, fills them, and finishes them. */
async function withFiles(
  { dir, date }: BuildOptions,
  symbols: readonly DaySymbol[],
  sets: readonly FeatureSet[],
  fill: (files: readonly DayFiles[], summaries: SymbolSummary[]) => Promise<void>,
): Promise<readonly BuiltSet[]> {
  const names = namesOf(symbols)
  const opened: DayFiles[] = []
  try {
    for (const set of sets) {
      opened.push(await createDayFiles(join(dir, set.dataset), set, names, date))
    }
    const summaries: SymbolSummary[] = []
    await fill(opened, summaries)
    const row_count = summaries.reduce((sum, { grid }) => sum + grid.row_count, 0)
    const built: BuiltSet[] = []
    for (const { set, dir: of_set, finish } of opened) {
      built.push({ set, dir: of_set, row_count, summaries, files: await finish(summaries) })
    }
    return built
  } finally {
    for (const files of opened) await files.close()
  }
}

function tasksOf(
  { date, symbols: of_day, fits, is_complete, with_f32 }: BuildOptions,
  symbols: readonly DaySymbol[],
  made: BuildTask['made'],
): readonly BuildTask[] {
  const exchange_days = exchangeDays(of_day, dayRange(date).from)
  const names = namesOf(symbols)
  return symbols.map((symbol) => ({
    made,
    symbol,
    places: placesOf(names, symbol),
    with_f32: with_f32 && made === 'features_1s',
    is_complete,
    exchange_day: exchange_days.get(symbol.exchange)!,
    fit: fits.find((one) => one.exchange === symbol.exchange && one.symbol === symbol.symbol)?.fit,
  }))
}
