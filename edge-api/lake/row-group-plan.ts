/**
 * Which row groups of a Parquet file hold the rows that are wanted, and where in the file their
 * columns lie: by the statistics of the columns that name the instrument, and of the time.
 */
import type { FileMetaData, RowGroup, SchemaElement } from 'hyparquet'
import { OperatorError } from '#core/errors.ts'
import type { Micros } from '#core/time.ts'
import type { ByteRange } from './byte-ranges.ts'
import type { Leaf } from './leaf-pages.ts'

export interface WantedRows {
  /** Columns that have one value a row group, and the value: { symbol: 'BTCUSDT' }. */
  readonly where: Readonly<Record<string, string>>
  readonly time_column: string
  readonly from: Micros
  readonly to: Micros
  readonly columns: readonly string[]
  /** So many of the first rows will do; more may come. */
  readonly row_count: number
  /** A row is left out where those before its forerunner have so many numbers in lists. */
  readonly list_number_count: number
}

/** A text column, and the value that a row must have there. */
export type Having = readonly [column: string, value: string]

/** A leaf and where in the file its pages are. */
export interface PlacedLeaf extends Leaf, ByteRange {
  readonly column: string
}

export interface GroupPlan {
  readonly row_count: number
  /** Of the wanted columns, those of the time first, otherwise as they lie in the file. */
  readonly leaves: readonly PlacedLeaf[]
}

export function planRowGroups(
  metadata: FileMetaData,
  wanted: WantedRows,
): readonly GroupPlan[] {
  const groups: RowGroup[] = []
  let [sure_rows, sure_numbers] = [0, 0]
  for (const group of groupsWithin(metadata, wanted)) {
    if (sure_rows >= wanted.row_count || sure_numbers >= wanted.list_number_count) break
    groups.push(group)
    // Rows of a group that begins behind `from` are wanted all, but for those behind `to`; and
    // where a later group begins before `to`, there are none.
    if (timesOf(group, wanted.time_column).min > wanted.from) {
      sure_rows += Number(group.num_rows)
      sure_numbers += listNumbers(group, wanted.columns)
    }
  }
  const elements = elementsByPath(metadata.schema)
  return groups.map((group) => planOf(group, wanted, elements))
}

/** The groups that may hold a row of the range that has what it must, the newest first. */
export function planNewest(
  metadata: FileMetaData,
  wanted: WantedRows,
  having: Having | undefined,
): readonly GroupPlan[] {
  const elements = elementsByPath(metadata.schema)
  return groupsWithin(metadata, wanted)
    .filter((group) => having === undefined || mayHave(group, having))
    .toReversed()
    .map((group) => planOf(group, wanted, elements))
}

function mayHave(group: RowGroup, [name, value]: Having): boolean {
  const { min, max } = boundsOf(group, name)
  return typeof min !== 'string' || typeof max !== 'string' || (min <= value && value <= max)
}

/** Of the instrument, with times in the range. */
function groupsWithin(
  { row_groups }: FileMetaData,
  { where, time_column, from, to }: WantedRows,
): readonly RowGroup[] {
  return row_groups.filter((group) => {
    if (!holds(group, where)) return false
    const { min, max } = timesOf(group, time_column)
    return max >= from && min < to
  })
}

function planOf(
  group: RowGroup,
  { columns, time_column }: WantedRows,
  elements: ReadonlyMap<string, readonly SchemaElement[]>,
): GroupPlan {
  const leaves = group.columns.flatMap(({ meta_data }): PlacedLeaf[] => {
    const chunk = meta_data!
    const column = chunk.path_in_schema[0]!
    if (!columns.includes(column)) return []
    const start = Number(chunk.dictionary_page_offset || chunk.data_page_offset)
    const end = start + Number(chunk.total_compressed_size)
    return [{ chunk, elements: elements.get(chunk.path_in_schema.join('.'))!, column, start, end }]
  })
  const isTime = ({ column }: PlacedLeaf): boolean => column === time_column
  const times = leaves.filter(isTime)
  const others = leaves.filter((leaf) => !isTime(leaf)).toSorted((a, b) => a.start - b.start)
  return { row_count: Number(group.num_rows), leaves: [...times, ...others] }
}

/** At least so many numbers do the group's lists have: an empty list counts as a value too. */
function listNumbers(group: RowGroup, columns: readonly string[]): number {
  return group.columns.reduce((sum, { meta_data }) => {
    const { path_in_schema, num_values } = meta_data!
    const is_list = path_in_schema.length > 1 && columns.includes(path_in_schema[0]!)
    return is_list ? sum + Math.max(0, Number(num_values - group.num_rows)) : sum
  }, 0)
}

/** The schema is a tree, written out with every parent before its children. */
function elementsByPath(
  schema: readonly SchemaElement[],
): ReadonlyMap<string, readonly SchemaElement[]> {
  const found = new Map<string, readonly SchemaElement[]>()
  let at = 1
  const visit = (above: readonly SchemaElement[]): void => {
    const element = schema[at++]!
    const path = [...above, element]
    const child_count = element.num_children ?? 0
    if (child_count === 0) found.set(path.map(({ name }) => name).join('.'), path)
    for (let child = 0; child < child_count; child++) visit(path)
  }
  while (at < schema.length) visit([])
  return found
}

function holds(group: RowGroup, where: Readonly<Record<string, string>>): boolean {
  return Object.entries(where).every(([name, value]) => {
    const { min, max } = boundsOf(group, name)
    if (min === undefined || max === undefined) {
      throw new OperatorError('archive_damaged', `A file of the archive says nothing of ${name}.`)
    }
    return min === value && max === value
  })
}

function timesOf(group: RowGroup, name: string): { readonly min: number; readonly max: number } {
  const { min, max } = boundsOf(group, name)
  return {
    min: typeof min === 'number' ? min : -Infinity,
    max: typeof max === 'number' ? max : Infinity,
  }
}

function boundsOf(group: RowGroup, name: string): { readonly min: unknown; readonly max: unknown } {
  const chunk = group.columns.find(({ meta_data }) => meta_data?.path_in_schema[0] === name)
  const statistics = chunk?.meta_data?.statistics
  return { min: statistics?.min_value, max: statistics?.max_value }
}
