/** Rows of several sources in one order: each row once, however many sources have it. */
import { compareToCursor, cursorOf, type ArchivedPart, type RangeTable, type Row } from '../tables/table.ts'

/** Both in the order of the table's identity, and without doubles; the result is too. */
export function mergeRows(
  table: RangeTable,
  left: readonly Row[],
  right: readonly Row[],
  /** What becomes of a row that both have. */
  join: (left: Row, right: Row) => Row = (row) => row,
): readonly Row[] {
  if (left.length === 0) return right
  if (right.length === 0) return left
  const merged: Row[] = []
  let [l, r] = [0, 0]
  while (l < left.length && r < right.length) {
    const order = compareToCursor(table, left[l]!, cursorOf(table, right[r]!))
    if (order < 0) merged.push(left[l++]!)
    else if (order > 0) merged.push(right[r++]!)
    else merged.push(join(left[l++]!, right[r++]!))
  }
  while (l < left.length) merged.push(left[l++]!)
  while (r < right.length) merged.push(right[r++]!)
  return merged
}

/**
 * The database's rows with those of the files of a part. Where a table has several parts, its rows
 * stand side by side: what the database has of a part counts, and what it lacks is the files'.
 * `names` are those of all columns that are read.
 */
export function mergePart(
  table: RangeTable,
  hot: readonly Row[],
  { present }: ArchivedPart,
  cold: readonly Row[],
  names: readonly string[],
): readonly Row[] {
  if (present === undefined || cold.length === 0) return mergeRows(table, hot, cold)
  const nothing = Object.fromEntries(names.map((name) => [name, null]))
  const whole = cold.map((row) => ({ ...nothing, ...row }))
  return mergeRows(table, hot, whole, (left, right) => {
    if (left[present] !== null) return left
    const of_part = Object.entries(right).filter(([, value]) => value !== null)
    return { ...left, ...Object.fromEntries(of_part) }
  })
}
