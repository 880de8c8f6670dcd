/**
 * Where a symbol's rows are cut into row groups. A row group is what a reader unpacks: the edge
 * worker has 128 MiB for all its callers, so rows of a book, which may have thousands of levels
 * each, are counted by their levels too.
 */
import { levelStart, type LevelColumn, type SymbolRows } from '../columns/columns.ts'
import type { RowRange } from './leaf.ts'

export interface GroupLimits {
  readonly row_count_max: number
  /** Of all columns of levels together; a single row may have more. */
  readonly level_count_max: number
}

/**
 * 700 KB in a file of quotes; of depth 1 MiB a leaf, once unpacked, and one or two pages of the
 * edge.
 */
export const GROUP_LIMITS: GroupLimits = { row_count_max: 131_072, level_count_max: 262_144 }

export function groupRanges(
  { row_count, columns }: SymbolRows,
  { row_count_max, level_count_max }: GroupLimits = GROUP_LIMITS,
): readonly RowRange[] {
  const of_levels = columns.filter((column): column is LevelColumn => column.kind === 'levels')
  const group_count = Math.ceil(row_count / row_count_max)
  // Groups of one size, not full ones and a small rest.
  const group_rows = Math.ceil(row_count / group_count)
  const ranges: RowRange[] = []
  let [from, level_count] = [0, 0]
  for (let row = 0; row < row_count; row++) {
    let of_row = 0
    for (const column of of_levels) of_row += column.ends[row]! - levelStart(column, row)
    if (row > from && (row - from >= group_rows || level_count + of_row > level_count_max)) {
      ranges.push({ from, to: row })
      from = row
      level_count = 0
    }
    level_count += of_row
  }
  if (from < row_count) ranges.push({ from, to: row_count })
  return ranges
}
