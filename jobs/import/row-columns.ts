/** Parsed rows of one symbol as columns of a table. */
import type { ArchivedColumn } from '#core/archived-tables.ts'
import type { Table } from '#core/tables.ts'
import { type ColumnData, compareText, dataColumns, type SymbolRows } from '../columns/columns.ts'
import type { Cell } from './kind.ts'

/** Each row has the cells of `dataColumns`. */
export function rowsOf(table: Table, rows: readonly (readonly Cell[])[]): SymbolRows {
  const columns = dataColumns(table).map((column, i) =>
    columnOf(
      column,
      rows.map((row) => row[i]!),
    ),
  )
  return { row_count: rows.length, columns }
}

function columnOf({ name, type }: ArchivedColumn, cells: readonly Cell[]): ColumnData {
  switch (type) {
    case 'bool':
      return { kind: 'flags', values: Uint8Array.from(cells, (cell) => (cell === true ? 1 : 0)) }
    case 'text': {
      const words = [...new Set(cells as readonly string[])].toSorted(compareText)
      const codes = new Map(words.map((word, code) => [word, code]))
      const values = Uint8Array.from(cells, (cell) => codes.get(cell as string)!)
      return { kind: 'texts', words, codes: values }
    }
    case 'levels':
      return levelsOf(cells as readonly (readonly (readonly [number, number])[])[])
    case 'timestamptz':
    case 'int8':
    case 'float8': {
      const nulls = cells.some((cell) => cell === null)
        ? Uint8Array.from(cells, (cell) => (cell === null ? 1 : 0))
        : undefined
      const values = Float64Array.from(cells, (cell) => {
        if (cell !== null && typeof cell !== 'number') throw new TypeError(`${name} is no number.`)
        return cell ?? 0
      })
      return { kind: 'numbers', values, nulls }
    }
  }
}

function levelsOf(cells: readonly (readonly (readonly [number, number])[])[]): ColumnData {
  const all = cells.flat()
  let end = 0
  return {
    kind: 'levels',
    ends: Uint32Array.from(cells, (levels) => (end += levels.length)),
    price: Float64Array.from(all, ([price]) => price),
    qty: Float64Array.from(all, ([, qty]) => qty),
  }
}
