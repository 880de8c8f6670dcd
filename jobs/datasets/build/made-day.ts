/** Computes and encodes a symbol's day: the work that can run in parallel for several symbols. */
import { FEATURE_SETS, type FeatureSet } from '#core/features.ts'
import type { SymbolSummary } from '../../day/coverage.ts'
import type { DayReader } from '../../day/events.ts'
import type { Columns } from '../../day/grid-columns.ts'
import { type GridHour, gridTimes } from '../../day/grid.ts'
import type { Fit } from '../../features/fit/fit.ts'
import type { HourCounts } from '../../features/hour-counts.ts'
import {
  buildSymbolDay,
  coverageOf,
  type Resume,
  type SymbolDay,
  type SymbolTask,
} from '../../features/symbol-day.ts'
import type { NamePlaces } from '../files/arrow-batch.ts'
import { buffersOfPart, encodePart, type PartBytes } from '../files/part.ts'

/** A symbol's day to build and encode. Plain data that can be posted to another thread. */
export interface BuildTask extends SymbolTask {
  /** Indexes of the symbol's names in the files' dictionaries. */
  readonly places: NamePlaces
}

/** Plain data that can be posted to another thread. */
export interface MadeDay extends SymbolSummary {
  /** One part per hour. */
  readonly features: readonly PartBytes[]
  /** Only with features_1s. */
  readonly labels: readonly PartBytes[] | undefined
  readonly fit: Fit | undefined
}

/** A finished hour, as it is kept for the next build of the day. */
export interface MadeHour extends Resume {
  readonly features: PartBytes
  /** Only with features_1s. */
  readonly labels: PartBytes | undefined
  readonly counts: HourCounts
  /** No event from this time on can change the hour. */
  readonly read_to: number
}

/** Hours of a day that earlier builds have finished. */
export interface KeptHours {
  /** The first hours of the symbol's day that a build now would make the same, without gaps. */
  find(task: BuildTask): Promise<readonly MadeHour[]>
  /** Keeps the hour after the last kept one, and returns true, if it is final. */
  keep(task: BuildTask, hour: MadeHour): Promise<boolean>
}

export async function makeSymbolDay(
  reader: DayReader,
  task: BuildTask,
  signal: AbortSignal,
  kept?: KeptHours,
): Promise<MadeDay> {
  const before = (await kept?.find(task)) ?? []
  const day = await buildSymbolDay(reader, task, signal, before.at(-1))
  const { exchange, symbol, grid, fit } = day
  const hours = [...before]
  let is_kept = kept !== undefined
  for (const hour of encodeHours(task, day)) {
    is_kept &&= hour.read_to < Infinity && (await kept!.keep(task, hour))
    hours.push(hour)
  }
  return {
    exchange,
    symbol,
    grid,
    fit,
    coverage: coverageOf(
      task,
      hours.map(({ counts }) => counts),
    ),
    features: hours.map(({ features }) => features),
    labels: day.labels === undefined ? undefined : hours.map(({ labels }) => labels!),
  }
}

function* encodeHours(task: BuildTask, day: SymbolDay): Generator<MadeHour> {
  const { exchange, symbol, grid, built, hours, columns, labels } = day
  const ts = gridTimes(built)
  const partOf = (
    set: FeatureSet,
    values: Columns<string>,
    { first, end }: GridHour,
  ): PartBytes => {
    const wanted = set.columns.flatMap(({ name }) => {
      const column = values[name]
      return column === undefined ? [] : [[name, column.subarray(first, end)] as const]
    })
    const rows = {
      exchange,
      symbol,
      ts: ts.subarray(first, end),
      columns: Object.fromEntries(wanted),
    }
    return encodePart(set.columns, rows, task.places)
  }
  for (const hour of hours) {
    const { to: from, counts, carried, read_to } = hour
    yield {
      from,
      grid_from: grid.from,
      counts,
      carried,
      read_to,
      features: partOf(FEATURE_SETS[task.made], columns, hour),
      labels: labels === undefined ? undefined : partOf(FEATURE_SETS.labels_1s, labels, hour),
    }
  }
}

/** Buffers to transfer to the other thread instead of copying. */
export function buffersOf({ features, labels = [] }: MadeDay): ArrayBuffer[] {
  return [...features, ...labels].flatMap(buffersOfPart)
}
