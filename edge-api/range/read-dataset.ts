/**
 * Reads a page of rows of one instrument from a published dataset: from the Parquet files of its
 * days, by range requests. The newest manifest defines the columns; an older day may lack some.
 */
import type { DatasetFile, Manifest } from '#core/dataset.ts'
import type { DatasetColumn } from '#core/features/column.ts'
import { datasetFileKey } from '#core/object-keys.ts'
import { dayRange, micros, parseDay, toIso, type Micros } from '#core/time.ts'
import { createBudget, LAKE_LIMITS, LakeBudgetError } from '../lake/budget.ts'
import type { ParquetReader } from '../lake/parquet-reader.ts'
import { rowAt } from '../lake/symbol-hour.ts'
import { badParameters, Problem } from '../problem.ts'
import type { Datasets } from '../store/datasets.ts'
import type { Cursor } from '../tables/cursor.ts'
import { rowsThatFit } from '../tables/page-size.ts'
import type { ColumnKind, RangeColumn, Row } from '../tables/table.ts'

export interface DatasetWanted {
  readonly dataset: string
  readonly exchange: string
  readonly symbol: string
  readonly from: Micros
  readonly to: Micros
  readonly after: Cursor | null
  readonly limit: number
  /** Undefined: all. */
  readonly columns: readonly string[] | undefined
}

export interface DatasetPage {
  readonly columns: readonly RangeColumn[]
  readonly rows: readonly Row[]
  readonly next: Cursor | null
  /** Hashes of the files that were read; null if one of their days was not over when built. */
  readonly version: string | null
}

/** Undefined if no date of the dataset is published. */
export type ReadDataset = (wanted: DatasetWanted) => Promise<DatasetPage | undefined>

const TIME = 'ts'

export function createDatasetReader(datasets: Datasets, lake: ParquetReader): ReadDataset {
  return async (asked) => {
    const dates = await datasets.dates(asked.dataset)
    const newest = await manifestOf(datasets, asked.dataset, dates.at(-1)?.date)
    if (newest === undefined) return undefined
    const columns = chooseColumns(newest.columns, asked.columns)
    const wanted = { ...asked, limit: rowsThatFit(columns, asked.limit) }
    const start = wanted.after === null ? wanted.from : Math.max(wanted.from, wanted.after[0] + 1)
    const budget = createBudget(LAKE_LIMITS)
    const rows: Row[] = []
    const versions: (string | null)[] = []
    for (const { date } of dates) {
      const { from, to } = dayRange(parseDay(date)!)
      if (to <= start || from >= wanted.to || rows.length > wanted.limit) continue
      const manifest = await manifestOf(datasets, wanted.dataset, date)
      const file = manifest?.files.find(({ format }) => format === 'parquet')
      if (manifest === undefined || file === undefined) continue
      versions.push(manifest.complete ? file.sha256 : null)
      const span = { from: micros(start), to: wanted.to, limit: wanted.limit + 1 - rows.length }
      try {
        rows.push(...(await readDay(lake, manifest, file, wanted, columns, span, budget)))
      } catch (error) {
        throw error instanceof LakeBudgetError ? tooMuch(wanted, error.message) : error
      }
    }
    return pageOf(wanted, columns, rows, versions)
  }
}

async function readDay(
  lake: ParquetReader,
  manifest: Manifest,
  file: DatasetFile,
  { exchange, symbol }: DatasetWanted,
  columns: readonly RangeColumn[],
  { from, to, limit }: { readonly from: Micros; readonly to: Micros; readonly limit: number },
  budget: ReturnType<typeof createBudget>,
): Promise<readonly Row[]> {
  const names = new Set([TIME, ...columns.map(({ name }) => name)])
  const found = await lake.read(
    {
      key: datasetFileKey(manifest, parseDay(manifest.date)!, file.name),
      byte_count: file.bytes,
      // Old builds have no folder: a rebuild replaced their files under the same key.
      tag: file.sha256,
    },
    {
      where: { exchange, symbol },
      time_column: TIME,
      from,
      to,
      columns: [...names],
      row_count: limit,
      list_number_count: Infinity,
    },
    budget,
  )
  const read_columns = [TIME_COLUMN, ...columns.filter(({ name }) => name !== TIME)]
  return Array.from({ length: Math.min(found.row_count, limit) }, (_, i) =>
    rowAt(found, read_columns, i),
  )
}

async function manifestOf(
  datasets: Datasets,
  name: string,
  date: string | undefined,
): Promise<Manifest | undefined> {
  const day = date === undefined ? undefined : parseDay(date)
  return day === undefined ? undefined : (await datasets.manifest(name, day))?.manifest
}

function pageOf(
  { limit }: DatasetWanted,
  columns: readonly RangeColumn[],
  found: readonly Row[],
  versions: readonly (string | null)[],
): DatasetPage {
  const rows = found.slice(0, limit)
  const is_over = versions.length > 0 && !versions.includes(null)
  return {
    columns,
    rows,
    next: found.length > limit ? [rows.at(-1)![TIME] as Micros] : null,
    version: is_over ? versions.join(' ') : null,
  }
}

const TIME_COLUMN: RangeColumn = {
  name: TIME,
  kind: 'time',
  nullable: false,
  unit: 'UTC',
  description: '',
}

/** Omits exchange and symbol: they are fields of the page, not of each row. */
function chooseColumns(
  published: readonly DatasetColumn[],
  wanted: readonly string[] | undefined,
): readonly RangeColumn[] {
  const columns = published.filter(({ name }) => name !== 'exchange' && name !== 'symbol')
  if (wanted === undefined) return columns.map(rangeColumn)
  const unknown = wanted.filter((name) => !columns.some((column) => column.name === name))
  if (unknown.length > 0) {
    const allowed = `a comma-separated list of ${columns.map(({ name }) => name).join(', ')}`
    throw badParameters([{ parameter: 'columns', found: unknown.join(','), allowed }])
  }
  return wanted.map((name) => rangeColumn(columns.find((column) => column.name === name)!))
}

const KINDS: Readonly<Record<string, ColumnKind>> = {
  timestamp_us: 'time',
  string: 'text',
  float64: 'number',
  int64: 'id',
}

function rangeColumn({ name, type, unit, description }: DatasetColumn): RangeColumn {
  return { name, kind: KINDS[type] ?? 'number', nullable: name !== TIME, unit, description }
}

function tooMuch({ dataset, from, to }: DatasetWanted, what: string): Problem {
  return new Problem(
    400,
    'range_too_large',
    'The range is too large for one answer.',
    `${toIso(from)} to ${toIso(to)} would read ${what}. Request fewer columns ` +
      `or a shorter range. /v1/datasets/${dataset} has whole days as files.`,
  )
}
