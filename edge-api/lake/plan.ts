/**
 * Which row groups of a Parquet file hold the rows that are wanted: by the statistics of the
 * columns that name the instrument, and of the time.
 */
import type { FileMetaData, RowGroup } from 'hyparquet'
import { OperatorError } from '#core/errors.ts'
import type { Micros } from '#core/time.ts'
import type { ByteRange } from './byte-ranges.ts'

export interface WantedRows {
  /** Columns that have one value a row group, and the value: { symbol: 'BTCUSDT' }. */
  readonly where: Readonly<Record<string, string>>
  readonly time_column: string
  readonly from: Micros
  readonly to: Micros
  readonly columns: readonly string[]
  /** So many of the first rows will do; more may come. */
  readonly row_count: number
}

export interface RowGroupPlan {
  /** In the order of the file. */
  readonly groups: readonly RowGroup[]
  readonly ranges: readonly ByteRange[]
  /** Of the largest column: they are unpacked one after another. */
  readonly unpacked_byte_count: number
}

export function planRowGroups(metadata: FileMetaData, wanted: WantedRows): RowGroupPlan {
  const groups: RowGroup[] = []
  let sure_count = 0
  for (const group of metadata.row_groups) {
    if (!holds(group, wanted.where)) continue
    const { min, max } = timesOf(group, wanted.time_column)
    if (max < wanted.from || min >= wanted.to) continue
    if (sure_count >= wanted.row_count) break
    groups.push(group)
    // Rows of a group that begins behind `from` are wanted all, but for those behind `to`; and
    // where a later group begins before `to`, there are none.
    if (min > wanted.from) sure_count += Number(group.num_rows)
  }
  const unpacked = new Map<string, number>()
  const ranges: ByteRange[] = []
  for (const { meta_data } of groups.flatMap(({ columns }) => columns)) {
    const name = meta_data!.path_in_schema[0]!
    if (!wanted.columns.includes(name)) continue
    const start = Number(meta_data!.dictionary_page_offset || meta_data!.data_page_offset)
    ranges.push({ start, end: start + Number(meta_data!.total_compressed_size) })
    const byte_count = Number(meta_data!.total_uncompressed_size)
    unpacked.set(name, (unpacked.get(name) ?? 0) + byte_count)
  }
  return { groups, ranges, unpacked_byte_count: Math.max(0, ...unpacked.values()) }
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
