/** Computes and encodes a symbol's day: the work that can run in parallel for several symbols. */
import { FEATURE_SETS, type FeatureSet } from '#core/features.ts'
import { HOUR_US, hourStart, micros } from '#core/time.ts'
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
import { bufferOfPart, encodePart, type PartBytes } from '../files/part.ts'

/** A symbol's day to build and encode. Plain data that can be posted to another thread. */
export interface BuildTask extends SymbolTask {
  /** Indexes of the symbol's names in the files' dictionaries. */
  readonly places: NamePlaces
  /** Also encode features_1s_f32. Kept hours do not have it. */
  readonly with_f32: boolean
}

/** Plain data that can be posted to another thread. */
export interface MadeDay extends SymbolSummary {
  /** One part per hour. */
  readonly features: readonly PartBytes[]
  /** Only with features_1s. */
  readonly labels: readonly PartBytes[] | undefined
  /** Only if requested. */
  readonly features_f32: readonly PartBytes[] | undefined
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
  if (task.made === 'features_100ms' && kept === undefined) {
    return makeInBlocks(reader, task, signal)
  }
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
    features_f32: task.with_f32 ? [...encodeF32(task, day)] : undefined,
  }
}

/** Hours that are built at once, besides the hour after them that shows that they are final. */
const BLOCK_HOURS = 3

/**
 * Builds a day hour by hour, so that memory holds a few hours of rows. Each block continues after
 * the hours that no later event can change; the next block reads the others again.
 */
export async function makeInBlocks(
  reader: DayReader,
  task: BuildTask,
  signal: AbortSignal,
  hours_at_once = BLOCK_HOURS,
): Promise<MadeDay> {
  const { exchange_day, symbol: of_day } = task
  const made: MadeHour[] = []
  let resume: Resume | undefined
  for (let block_hours = hours_at_once; ;) {
    const start = resume?.from ?? hourStart(of_day.first_ts)
    const to = micros(start + (block_hours + 1) * HOUR_US)
    const day = await buildSymbolDay(reader, task, signal, resume, to)
    const is_last = to > exchange_day.last_ts
    for (const hour of encodeHours(task, day)) {
      if (!is_last && hour.read_to > to) break
      made.push(hour)
      resume = { from: hour.from, grid_from: hour.grid_from, carried: hour.carried }
    }
    if (is_last) {
      const { exchange, symbol, grid } = day
      const coverage = coverageOf(
        task,
        made.map(({ counts }) => counts),
      )
      const features = made.map((hour) => hour.features)
      const nothing = { labels: undefined, features_f32: undefined, fit: undefined }
      return { exchange, symbol, grid, coverage, features, ...nothing }
    }
    // Nothing is final while the book waits for a diff: read on.
    block_hours = resume !== undefined && resume.from > start ? hours_at_once : block_hours * 2
  }
}

function* encodeHours(task: BuildTask, day: SymbolDay): Generator<MadeHour> {
  const { grid, hours, columns, labels } = day
  const partOf = partsOf(task, day)
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

function* encodeF32(task: BuildTask, day: SymbolDay): Generator<PartBytes> {
  const partOf = partsOf(task, day)
  for (const hour of day.hours) yield partOf(FEATURE_SETS.features_1s_f32, day.columns, hour)
}

type PartOf = (set: FeatureSet, values: Columns<string>, hour: GridHour) => PartBytes

/** Encodes an hour of a dataset. */
function partsOf({ places }: BuildTask, { exchange, symbol, built }: SymbolDay): PartOf {
  const ts = gridTimes(built)
  return (set, values, { first, end }) => {
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
    return encodePart(set.columns, rows, places)
  }
}

/** Buffers to transfer to the other thread instead of copying. */
export function buffersOf({ features, labels = [], features_f32 = [] }: MadeDay): ArrayBuffer[] {
  return [...features, ...labels, ...features_f32].map(bufferOfPart)
}
