/**
 * A page of signals of one instrument: from the database for the span that the job keeps up to date
 * there, and before it from the dataset of each day.
 *
 * Invariants
 * 1. No row is missing: the rows are queried before the span. A day that is dropped in between is
 *    in the rows, and then read from its dataset too.
 * 2. No row is a duplicate: a row has the same (ts, id) in both.
 */
import type { Manifest } from '#core/dataset.ts'
import { datasetFileKey } from '#core/object-keys.ts'
import type { StoredSignal } from '#core/signals/row.ts'
import { SIGNAL_KINDS } from '#core/signals/signal.ts'
import { dayRange, micros, parseDay, toIso, type Micros } from '#core/time.ts'
import { createBudget, LAKE_LIMITS, LakeBudgetError, type LakeBudget } from '../lake/budget.ts'
import type { ParquetReader } from '../lake/parquet-reader.ts'
import { rowAt } from '../lake/symbol-hour.ts'
import { Problem } from '../problem.ts'
import { SIGNAL_COLUMNS, type SignalProgressRow, type SignalsArgs } from '../queries/signals.ts'
import type { Datasets } from '../store/datasets.ts'
import type { Cursor } from '../tables/cursor.ts'
import type { RangeColumn } from '../tables/table.ts'
import { isAway } from './instruments.ts'
import { databaseAway } from './read-range.ts'

export interface SignalsWanted extends Omit<SignalsArgs, 'symbol_id'> {
  /** Null if the database did not respond. */
  readonly symbol_id: number | null
  readonly exchange: string
  readonly symbol: string
}

export interface SignalPage {
  readonly rows: readonly StoredSignal[]
  readonly next: Cursor | null
  /** The job has computed signals up to it; null if it does not, or if the database is away. */
  readonly computed_to: Micros | null
}

export type ReadSignals = (wanted: SignalsWanted) => Promise<SignalPage>

export interface SignalSources {
  signals(args: SignalsArgs): Promise<readonly StoredSignal[]>
  progress(symbol_id: number): Promise<SignalProgressRow | undefined>
  readonly datasets: Pick<Datasets, 'dates' | 'manifest'>
  readonly lake: ParquetReader
}

const DATASET = 'signals'
/** Rows that are read at once. */
const CHUNK_ROWS = 2_000

export function createSignalReader(sources: SignalSources): ReadSignals {
  return async (wanted) => {
    const hot = await readHot(sources, wanted)
    const { limit } = wanted
    const cold_to = hot.progress === undefined ? wanted.to : hot.progress.from_ts + 1
    const cold = await readCold(sources, wanted, Math.min(wanted.to, cold_to), hot)
    const merged = mergeRows(hot.rows, cold)
    const rows = merged.slice(0, limit)
    const last = rows.at(-1)
    return {
      rows,
      next: merged.length > limit ? [last!.ts, last!.id] : null,
      computed_to: hot.progress?.computed_to ?? null,
    }
  }
}

interface Hot {
  readonly rows: readonly StoredSignal[]
  readonly progress: SignalProgressRow | undefined
  /** The database does not respond. */
  readonly away: unknown
}

async function readHot(sources: SignalSources, wanted: SignalsWanted): Promise<Hot> {
  const { symbol_id, limit } = wanted
  if (symbol_id === null) return { rows: [], progress: undefined, away: databaseAway() }
  try {
    const rows = await sources.signals({ ...wanted, symbol_id, limit: limit + 1 })
    return { rows, progress: await sources.progress(symbol_id), away: undefined }
  } catch (error) {
    if (isAway(error)) return { rows: [], progress: undefined, away: error }
    throw error
  }
}

async function readCold(
  { datasets, lake }: SignalSources,
  wanted: SignalsWanted,
  to: number,
  { away }: Hot,
): Promise<readonly StoredSignal[]> {
  const { from, after, limit } = wanted
  const start = Math.max(from, after?.[0] ?? 0)
  if (start >= to) return []
  const dates = await datasets.dates(DATASET)
  const last = dates.at(-1)
  const published_to = last === undefined ? 0 : dayRange(parseDay(last.date)!).to
  // Only the database may have what comes after the published days.
  if (away !== undefined && published_to < to) throw away
  const budget = createBudget(LAKE_LIMITS)
  const rows: StoredSignal[] = []
  for (const { date } of dates) {
    const day = dayRange(parseDay(date)!)
    // A bar that ends at midnight is in the file of its own day.
    if (day.to < start || day.from >= to || rows.length > limit) continue
    const found = await datasets.manifest(DATASET, parseDay(date)!)
    if (found === undefined) continue
    const span = { from: micros(start), to: micros(to) }
    for await (const chunk of readDay(lake, found.manifest, wanted, span, budget)) {
      rows.push(...chunk.filter((row) => isWanted(row, wanted)))
      if (rows.length > limit) break
    }
  }
  return rows
}

/** Rows of the file in order, some at a time. */
async function* readDay(
  lake: ParquetReader,
  manifest: Manifest,
  { exchange, symbol }: SignalsWanted,
  { from, to }: { readonly from: Micros; readonly to: Micros },
  budget: LakeBudget,
): AsyncGenerator<readonly StoredSignal[]> {
  const file = manifest.files.find(({ format }) => format === 'parquet')
  if (file === undefined) return
  const key = datasetFileKey(manifest, parseDay(manifest.date)!, file.name)
  let at = from
  let last_id = -1
  for (;;) {
    const wanted = {
      where: { exchange, symbol },
      time_column: 'ts',
      from: at,
      to,
      columns: [...SIGNAL_COLUMNS],
      row_count: CHUNK_ROWS,
      list_number_count: Infinity,
    }
    const found = await lake
      .read({ key, byte_count: file.bytes, tag: file.sha256 }, wanted, budget)
      .catch((error: unknown) => {
        throw error instanceof LakeBudgetError ? tooMuch(from, to, error.message) : error
      })
    const count = Math.min(found.row_count, CHUNK_ROWS)
    const rows = Array.from({ length: count }, (_, i) => {
      // COLUMNS are the fields of a StoredSignal; only the reader does not know their types.
      return rowAt(found, COLUMNS, i) as unknown as StoredSignal
    })
    yield rows.filter(({ ts, id }) => ts > at || id > last_id)
    const last = rows.at(-1)
    if (last === undefined || count < CHUNK_ROWS) return
    if (last.ts === at) throw tooMuch(from, to, `more than ${CHUNK_ROWS} signals at one time`)
    at = last.ts
    last_id = last.id
  }
}

const TEXTS: ReadonlySet<string> = new Set(['kind', 'side'])
const IDS: ReadonlySet<string> = new Set(['id', 'interval_s', 'version', 'bin_ticks', 'trade_id'])
const TIMES: ReadonlySet<string> = new Set(['ts', 'bar_ts'])

const COLUMNS: readonly RangeColumn[] = SIGNAL_COLUMNS.map((name) => {
  const kind = TEXTS.has(name) ? 'text' : IDS.has(name) ? 'id' : TIMES.has(name) ? 'time' : 'number'
  return { name, kind, nullable: name !== 'ts', unit: '', description: '' }
})

function isWanted(
  row: StoredSignal,
  { from, to, after, kind, interval_s }: SignalsWanted,
): boolean {
  return (
    row.ts >= from &&
    row.ts < to &&
    (after === null || compareRows(row, { ts: after[0], id: Number(after[1]) }) > 0) &&
    (kind === null || row.kind === kind) &&
    (interval_s === null || row.interval_s === interval_s) &&
    SIGNAL_KINDS.includes(row.kind)
  )
}

type Place = Pick<StoredSignal, 'ts' | 'id'>

function compareRows(a: Place, b: Place): number {
  return a.ts - b.ts || a.id - b.id
}

function mergeRows(
  hot: readonly StoredSignal[],
  cold: readonly StoredSignal[],
): readonly StoredSignal[] {
  return [...cold, ...hot]
    .toSorted(compareRows)
    .filter((row, i, all) => i === 0 || compareRows(all[i - 1]!, row) !== 0)
}

function tooMuch(from: Micros, to: Micros, what: string): Problem {
  return new Problem(
    400,
    'range_too_large',
    'The range is too large for one answer.',
    `${toIso(from)} to ${toIso(to)} would read ${what}. Request a shorter range or a lower limit. ` +
      '/v1/datasets/signals has whole days as files.',
  )
}
