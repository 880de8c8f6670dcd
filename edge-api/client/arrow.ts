/** Arrow IPC streams as columns. */
import { type Column, Type, tableFromIPC } from '@uwdata/flechette'

/** Levels of a book: price, quantity, price, quantity … */
export type ArrowValues =
  | Float64Array
  | BigInt64Array
  | readonly (number | bigint | boolean | string | null | Float64Array)[]

export interface ArrowTable {
  readonly row_count: number
  readonly names: readonly string[]
  /**
   * Times are microseconds since 1970 and ids are integers (BigInt64Array), prices, quantities and
   * other numbers doubles (Float64Array). A column with nulls is an array. Undefined: no such
   * column.
   */
  column(name: string): ArrowValues | undefined
}

/** Throws if the bytes are not a whole stream. */
export function decodeArrow(bytes: Uint8Array): ArrowTable {
  const table = tableFromIPC(bytes, { useBigInt: true, useDate: false })
  return {
    row_count: table.numRows,
    names: table.schema.fields.map(({ name }) => name),
    column(name) {
      const field = table.schema.fields.find((one) => one.name === name)
      if (field === undefined) return undefined
      const column = table.getChild(name)
      if (field.type.typeId === Type.Timestamp) return timesOf(column)
      const is_list = field.type.typeId === Type.List
      if (!is_list && column.nullCount === 0) return column.toArray() as ArrowValues
      const values: unknown[] = Array.from(column)
      return (is_list ? values.map(levelsOf) : values) as ArrowValues
    },
  }
}

/** The stored microseconds: the library's own values are milliseconds with a fraction. */
function timesOf(column: Column<unknown>): ArrowValues {
  const times = new BigInt64Array(column.length)
  let at = 0
  for (const { values, length } of column.data) {
    // A column of times stores 64 bits each; its type speaks of the library's own values.
    times.set((values as unknown as BigInt64Array).subarray(0, length), at)
    at += length
  }
  if (column.nullCount === 0) return times
  return Array.from(times, (time, i) => (column.at(i) === null ? null : time))
}

function levelsOf(list: unknown): Float64Array | null {
  if (list === null) return null
  const levels = Array.from(list as Iterable<{ readonly price: number; readonly qty: number }>)
  return Float64Array.from(levels.flatMap(({ price, qty }) => [price, qty]))
}
