/** Sorts one symbol's rows by identity and keeps one row per identity. */
import type { TableShape } from '#core/archived-tables.ts'
import { type ColumnData, dataColumns, levelStart, type SymbolRows } from './columns.ts'

export interface SortedRows {
  readonly rows: SymbolRows
  /** Rows that were left out because another has the same identity; undefined if none. */
  readonly repeated: SymbolRows | undefined
}

/** `stays`: which of several rows with one identity is kept, the first or the last. */
export function sortRows(
  table: TableShape,
  rows: SymbolRows,
  keep: 'first' | 'last' = 'last',
): SortedRows {
  const compare = identityComparer(table, rows)
  if (isAscending(rows.row_count, compare)) return { rows, repeated: undefined }
  // Sorting a plain array is stable, and fast if most of it is already in order.
  const order = Array.from({ length: rows.row_count }, (_, row) => row).toSorted(compare)
  const kept: number[] = []
  const repeated: number[] = []
  for (const row of order) {
    const last = kept.at(-1)
    const is_repeated = last !== undefined && compare(last, row) === 0
    if (is_repeated) repeated.push(keep === 'first' ? row : kept.pop()!)
    if (!is_repeated || keep === 'last') kept.push(row)
  }
  return {
    rows: pickRows(rows, kept),
    repeated: repeated.length === 0 ? undefined : pickRows(rows, repeated),
  }
}

/** True for most symbols' rows. */
function isAscending(row_count: number, compare: Comparer): boolean {
  for (let row = 1; row < row_count; row++) {
    if (compare(row - 1, row) >= 0) return false
  }
  return true
}

type Comparer = (left: number, right: number) => number

function identityComparer(table: TableShape, rows: SymbolRows): Comparer {
  const names = dataColumns(table).map(({ name }) => name)
  const comparers = table.identity
    .filter((name) => name !== 'symbol_id')
    .map((name) => columnComparer(rows.columns[names.indexOf(name)]!))
  const [first, ...others] = comparers
  return (left, right) => {
    const by_time = first!(left, right)
    if (by_time !== 0) return by_time
    for (const compare of others) {
      const difference = compare(left, right)
      if (difference !== 0) return difference
    }
    return 0
  }
}

function columnComparer(column: ColumnData): Comparer {
  switch (column.kind) {
    case 'numbers': {
      const { values } = column
      return (left, right) => values[left]! - values[right]!
    }
    // The words are sorted, so comparing their indexes is enough.
    case 'texts':
      return (left, right) => column.codes[left]! - column.codes[right]!
    case 'flags':
    case 'levels':
      throw new Error(`No table's identity has a column of ${column.kind}.`)
  }
}

function pickRows({ columns }: SymbolRows, picked: readonly number[]): SymbolRows {
  return { row_count: picked.length, columns: columns.map((column) => pick(column, picked)) }
}

function pick(column: ColumnData, picked: readonly number[]): ColumnData {
  switch (column.kind) {
    case 'numbers': {
      const { values, nulls } = column
      return {
        kind: 'numbers',
        values: pickInto(new Float64Array(picked.length), values, picked),
        nulls: nulls && pickInto(new Uint8Array(picked.length), nulls, picked),
      }
    }
    case 'flags':
      return {
        kind: 'flags',
        values: pickInto(new Uint8Array(picked.length), column.values, picked),
      }
    case 'texts':
      return { ...column, codes: pickInto(new Uint8Array(picked.length), column.codes, picked) }
    case 'levels': {
      const ends = new Uint32Array(picked.length)
      const level_count = picked.reduce(
        (sum, row) => sum + column.ends[row]! - levelStart(column, row),
        0,
      )
      const price = new Float64Array(level_count)
      const qty = new Float64Array(level_count)
      let end = 0
      for (const [at, row] of picked.entries()) {
        const start = levelStart(column, row)
        price.set(column.price.subarray(start, column.ends[row]), end)
        qty.set(column.qty.subarray(start, column.ends[row]), end)
        end += column.ends[row]! - start
        ends[at] = end
      }
      return { kind: 'levels', ends, price, qty }
    }
  }
}

/** A loop is many times faster than from(). */
function pickInto<Values extends Float64Array | Uint8Array>(
  target: Values,
  values: Values,
  picked: readonly number[],
): Values {
  for (let at = 0; at < picked.length; at++) target[at] = values[picked[at]!]!
  return target
}
