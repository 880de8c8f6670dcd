/** Reads Arrow streams with three independent readers, into the values of our rows. */
import { tableFromIPC as readFlechette } from '@uwdata/flechette'
import { tableFromIPC as readApacheArrow, type Vector } from 'apache-arrow'
import { Table as RustTable } from 'parquet-wasm/node'
import type { Cell, RangeColumn } from '../../../edge-api/tables/table.ts'

/** Column by column. Throws if the stream is not valid. */
export type ReadColumns = (
  bytes: Uint8Array,
  columns: readonly RangeColumn[],
) => readonly (readonly Cell[])[]

export const ARROW_READERS: Readonly<Record<string, ReadColumns>> = {
  'apache-arrow': withApacheArrow,
  flechette: withFlechette,
  // Reads, checks and writes the stream again; the result is what the reader understood.
  'arrow-rs': (bytes, columns) =>
    withApacheArrow(RustTable.fromIPCStream(bytes).intoIPCStream(), columns),
}

function withApacheArrow(bytes: Uint8Array, columns: readonly RangeColumn[]) {
  const table = readApacheArrow(bytes)
  requireNames(
    table.schema.fields.map(({ name }) => name),
    columns,
  )
  return columns.map(({ kind }, at) => {
    const vector = table.getChildAt(at)!
    // The reader converts times to milliseconds, so the stored microseconds are read instead.
    return kind === 'time'
      ? timesOf(vector)
      : Array.from({ length: table.numRows }, (_, row) => cellOf(vector.get(row)))
  })
}

function timesOf(vector: Vector): readonly Cell[] {
  return vector.data.flatMap((data) =>
    Array.from({ length: data.length }, (_, row) =>
      data.getValid(row) ? Number((data.values as BigInt64Array)[row]) : null,
    ),
  )
}

function withFlechette(bytes: Uint8Array, columns: readonly RangeColumn[]) {
  const table = readFlechette(bytes, { useBigInt: true, useDate: false })
  requireNames(
    table.schema.fields.map(({ name }) => name),
    columns,
  )
  return columns.map(({ kind }, at) =>
    Array.from(table.getChildAt(at)!, (value: unknown) =>
      // Milliseconds with a fraction.
      kind === 'time' && value !== null ? Math.round(Number(value) * 1_000) : cellOf(value),
    ),
  )
}

function requireNames(found: readonly string[], columns: readonly RangeColumn[]): void {
  const expected = columns.map(({ name }) => name)
  if (found.join() !== expected.join()) throw new Error(`Columns are ${found.join(', ')}.`)
}

function cellOf(value: unknown): Cell {
  if (typeof value === 'bigint') return Number(value)
  if (value === null || typeof value !== 'object') return value as Cell
  const levels = Array.from(value as Iterable<{ readonly price: number; readonly qty: number }>)
  return Float64Array.from(levels.flatMap(({ price, qty }) => [price, qty]))
}
