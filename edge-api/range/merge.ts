/** Rows of several sources in one order: each row once, however many sources have it. */
import { compareToCursor, cursorOf, type RangeTable, type Row } from './table.ts'

/** Both in the order of the table's identity, and without doubles; the result is too. */
export function mergeRows(
  table: RangeTable,
  left: readonly Row[],
  right: readonly Row[],
): readonly Row[] {
  if (left.length === 0) return right
  if (right.length === 0) return left
  const merged: Row[] = []
  let [l, r] = [0, 0]
  while (l < left.length && r < right.length) {
    const order = compareToCursor(table, left[l]!, cursorOf(table, right[r]!))
    merged.push(order <= 0 ? left[l++]! : right[r++]!)
    if (order === 0) r += 1
  }
  while (l < left.length) merged.push(left[l++]!)
  while (r < right.length) merged.push(right[r++]!)
  return merged
}
