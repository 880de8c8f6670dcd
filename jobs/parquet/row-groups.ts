/**
 * Cuts a symbol's rows into row groups. A reader decompresses whole row groups, and the edge worker
 * has 128 MiB for all its requests. A row of a book may have thousands of levels, so books are also
 * cut by their number of levels.
 */
import { levelStart, type LevelColumn, type SymbolRows } from '../columns/columns.ts'
import type { RowRange } from './leaf.ts'

export interface GroupLimits {
  readonly row_count_max: number
  /** Over all level columns together; a single row may exceed it. */
  readonly level_count_max: number
}

/**
 * A group takes 700 KB in a file of quotes. For depth, a decompressed leaf takes 1 MiB, which is
 * one or two pages of the edge API.
 */
export const GROUP_LIMITS: GroupLimits = { row_count_max: 131_072, level_count_max: 262_144 }

export function groupRanges(
  { row_count, columns }: SymbolRows,
  { row_count_max, level_count_max }: GroupLimits = GROUP_LIMITS,
): readonly RowRange[] {
  const of_levels = columns.filter((column): column is LevelColumn => column.kind === 'levels')
  const group_count = Math.ceil(row_count / row_count_max)
  // Equal groups, instead of full ones and a small last one.
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
