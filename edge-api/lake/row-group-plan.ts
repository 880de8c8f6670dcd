/**
 * Plans which row groups of a Parquet file to read, and where their columns are in the file, from
 * the statistics of the time and of the columns that name the instrument.
 */
import type { FileMetaData, RowGroup, SchemaElement } from 'hyparquet'
import { OperatorError } from '#core/errors.ts'
import type { Micros } from '#core/time.ts'
import type { ByteRange } from './byte-ranges.ts'
import type { Leaf } from './leaf-pages.ts'

export interface WantedRows {
  /** Required values of columns with one value per row group: { symbol: 'BTCUSDT' }. */
  readonly where: Readonly<Record<string, string>>
  readonly time_column: string
  readonly from: Micros
  readonly to: Micros
  readonly columns: readonly string[]
  /** How many of the first rows are needed; the result may have more. */
  readonly row_count: number
  /** A row is not needed if the rows before the previous one have this many numbers in lists. */
  readonly list_number_count: number
}

/** A text column, and the value that a row must have there. */
export type Having = readonly [column: string, value: string]

/** A leaf and the byte range of its pages in the file. */
export interface PlacedLeaf extends Leaf, ByteRange {
  readonly column: string
}

export interface GroupPlan {
  readonly row_count: number
  /** Leaves of the wanted columns: the time first, then the others in the order of the file. */
  readonly leaves: readonly PlacedLeaf[]
}

export function planRowGroups(metadata: FileMetaData, wanted: WantedRows): readonly GroupPlan[] {
  const groups: RowGroup[] = []
  let [sure_rows, sure_numbers] = [0, 0]
  for (const group of groupsWithin(metadata, wanted)) {
    if (sure_rows >= wanted.row_count || sure_numbers >= wanted.list_number_count) break
    groups.push(group)
    // If a group begins after `from` and a later group begins before `to`, all rows of the first
    // are wanted.
    if (timesOf(group, wanted.time_column).min > wanted.from) {
      sure_rows += Number(group.num_rows)
      sure_numbers += listNumbers(group, wanted.columns)
    }
  }
  const elements = elementsByPath(metadata.schema)
  return groups.map((group) => planOf(group, wanted, elements))
}

/** Groups that may have a row of the range that matches `having`, newest first. */
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

/** Groups of the instrument with times in the range. */
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

/** Lower bound for the numbers in the group's lists. An empty list counts as a value. */
function listNumbers(group: RowGroup, columns: readonly string[]): number {
  return group.columns.reduce((sum, { meta_data }) => {
    const { path_in_schema, num_values } = meta_data!
    const is_list = path_in_schema.length > 1 && columns.includes(path_in_schema[0]!)
    return is_list ? sum + Math.max(0, Number(num_values - group.num_rows)) : sum
  }, 0)
}

/** The schema is a tree in preorder: every parent comes before its children. */
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
      throw new OperatorError('archive_damaged', `An archive file lacks statistics of ${name}.`)
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
