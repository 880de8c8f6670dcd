/** Reads a file into the raw table, and counts what it brings by UTC day. */
import { type Pool, withClient } from '#core/node/pool.ts'
import { dayOf, type Day, dayRange, type Micros, micros } from '#core/time.ts'
import { readContent } from './content.ts'
import { Continuity } from './continuity.ts'
import { HourStage, type MergedHour, type StageOptions, type StagedFile } from './hour-stage.ts'
import type { Parsed, RawFile } from './kind.ts'
import { linesOf } from './lines.ts'

export interface ReadOptions extends StageOptions {
  readonly pool: Pool
  /** Rows since the last call. */
  readonly onRows?: (file: RawFile, count: number) => void
}

export interface FileRows {
  readonly continuity: Continuity
  readonly line_count: number
  readonly row_count: number
  readonly added_count: number
  readonly removed_count: number
  readonly void_count: number
  readonly rejected_count: number
  /** The reason of the first line that cannot be read. */
  readonly first_rejected: string | undefined
  /** Rows that were left out, because their time is far from the file's days. */
  readonly outside_count: number
  /** Rows of the file by UTC day. */
  readonly rows_by_day: ReadonlyMap<Day, number>
  /** Hours whose rows changed. */
  readonly changed_hours: readonly Micros[]
  /** Hours that were left as they had been recorded. */
  readonly uncovered_hours: readonly Micros[]
}

/** An hour is stored when rows of this much later have come: files are not quite in order [us]. */
const LATE_US = 120_000_000
/** Tardis cuts days by time of receipt, so a few rows belong to the day before [us]. */
const OUTSIDE_US = 600_000_000

/** Decompresses the whole file, so that nothing of a damaged one is stored. */
export async function checkContent(path: string, signal: AbortSignal): Promise<void> {
  if (!/\.(?:zip|gz)$/.test(path)) return
  const chunks = readContent(path)
  while ((await chunks.next()).done !== true) signal.throwIfAborted()
}

export async function storeFile(
  options: ReadOptions,
  file: RawFile,
  staged: StagedFile,
  path: string,
): Promise<FileRows> {
  return withClient(options.pool, async (client) => {
    const stage = new HourStage(client, options, staged)
    try {
      return await read(options, file, path, stage)
    } finally {
      await stage.close().catch(() => undefined)
    }
  })
}

async function read(
  { signal, onRows }: ReadOptions,
  file: RawFile,
  path: string,
  stage: HourStage,
): Promise<FileRows> {
  const days = { from: dayRange(file.from).from, to: dayRange(file.to).from }
  const tally = new Tally(new Continuity(file.kind), days, stage)
  const parser = file.kind.createParser()
  let told_count = 0
  for await (const lines of linesOf(readContent(path))) {
    signal.throwIfAborted()
    for (const line of lines) for (const parsed of parser.parse(line)) tally.take(parsed)
    await stage.sendBatches()
    tally.merged(await stage.mergeBefore(tally.newest - LATE_US))
    onRows?.(file, tally.row_count - told_count)
    told_count = tally.row_count
  }
  for (const parsed of parser.end()) tally.take(parsed)
  tally.merged(await stage.mergeBefore(Infinity))
  tally.merged(await stage.mergeGone())
  return tally.result()
}

class Tally {
  readonly #continuity: Continuity
  readonly #days: { readonly from: Micros; readonly to: Micros }
  readonly #stage: HourStage
  readonly #rows_by_day = new Map<Day, number>()
  readonly #merged: MergedHour[] = []
  readonly #counts = {
    line_count: 0,
    void_count: 0,
    rejected_count: 0,
    outside_count: 0,
  }
  #first_rejected: string | undefined
  #day_end = -Infinity
  #day_from = 0
  #day_count = 0
  row_count = 0
  newest = 0

  constructor(
    continuity: Continuity,
    days: { readonly from: Micros; readonly to: Micros },
    stage: HourStage,
  ) {
    this.#continuity = continuity
    this.#days = days
    this.#stage = stage
  }

  take(parsed: Parsed): void {
    const counts = this.#counts
    counts.line_count += 1
    switch (parsed.kind) {
      case 'rejected':
        counts.rejected_count += 1
        this.#first_rejected ??= parsed.reason
        return
      case 'void':
        counts.void_count += 1
        if (parsed.id !== null) this.#continuity.see(undefined, parsed.id)
        return
      case 'row': {
        const { ts_exchange, id, fills, cells } = parsed
        const { from, to } = this.#days
        if (ts_exchange < from - OUTSIDE_US || ts_exchange >= to + OUTSIDE_US) {
          counts.outside_count += 1
          return
        }
        this.#continuity.see(ts_exchange, id, fills)
        this.row_count += 1
        this.newest = Math.max(this.newest, ts_exchange)
        this.#countDay(ts_exchange)
        this.#stage.add(ts_exchange, cells)
      }
    }
  }

  merged(hours: readonly MergedHour[]): void {
    this.#merged.push(...hours)
  }

  result(): FileRows {
    this.#closeDay()
    const merged = this.#merged
    const sum = (of: (hour: MergedHour) => number): number =>
      merged.reduce((total, hour) => total + of(hour), 0)
    const hours = (is: (hour: MergedHour) => boolean): readonly Micros[] =>
      [...new Set(merged.filter(is).map(({ hour }) => hour))].toSorted((a, b) => a - b)
    return {
      ...this.#counts,
      continuity: this.#continuity,
      row_count: this.row_count,
      added_count: sum(({ added_count }) => added_count),
      removed_count: sum(({ removed_count }) => removed_count),
      first_rejected: this.#first_rejected,
      rows_by_day: this.#rows_by_day,
      changed_hours: hours(({ added_count, removed_count }) => added_count + removed_count > 0),
      uncovered_hours: hours(({ is_covered }) => !is_covered),
    }
  }

  #countDay(ts: number): void {
    if (ts < this.#day_from || ts >= this.#day_end) {
      this.#closeDay()
      const { from, to } = dayRange(dayOf(micros(ts)))
      this.#day_from = from
      this.#day_end = to
    }
    this.#day_count += 1
  }

  #closeDay(): void {
    if (this.#day_count === 0) return
    const day = dayOf(micros(this.#day_from))
    this.#rows_by_day.set(day, (this.#rows_by_day.get(day) ?? 0) + this.#day_count)
    this.#day_count = 0
  }
}
