/** Merges rows of several sources in order. A row that several sources have appears once. */
import {
  compareToCursor,
  cursorOf,
  type ArchivedPart,
  type RangeTable,
  type Row,
} from '../tables/table.ts'

/** Inputs and result are in the order of the table's identity, without duplicates. */
export function mergeRows(
  table: RangeTable,
  left: readonly Row[],
  right: readonly Row[],
  /** Combines a row that both have. */
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

/** Late rows may be in the database although their hour was dropped, so both are compared. */
export function newerRow(table: RangeTable, hot: Row | undefined, cold: Row): Row {
  const is_older = hot === undefined || compareToCursor(table, hot, cursorOf(table, cold)) < 0
  return is_older ? cold : hot
}

/**
 * Merges the database's rows with a part's rows from files. If the table has several parts, each
 * row combines columns of all of them: the database's values win, and the files supply a part that
 * the database's row lacks. `names` are all columns that are read.
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
