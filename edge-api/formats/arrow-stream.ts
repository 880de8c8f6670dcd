/**
 * Rows as an Arrow IPC stream: one schema, one record batch. Prices and quantities are doubles,
 * times are microseconds in UTC, levels are lists of {price, qty}.
 */
import {
  bytesOf,
  END_OF_STREAM,
  framed,
  joinParts,
  NO_BYTES,
  offsetsOf,
  recordBatch,
  textBuffers,
} from '#core/arrow/message.ts'
import { type ArrowType, type FieldNode, schemaMessage } from '#core/arrow/metadata.ts'
import { release } from '../memory/release.ts'
import type { Decimals } from '#core/decimal-text.ts'
import type { Cell, ColumnKind, RangeColumn, Row } from '../tables/table.ts'

const TYPES: Readonly<Record<ColumnKind, ArrowType>> = {
  time: 'timestamp_us',
  id: 'int64',
  flag: 'bool',
  text: 'utf8',
  levels: 'levels',
  price: 'float64',
  qty: 'float64',
  number: 'float64',
}

export function arrowStream(
  rows: readonly Row[],
  columns: readonly RangeColumn[],
  decimals: Decimals,
): Uint8Array<ArrayBuffer> {
  const body: Body = { nodes: [], buffers: [] }
  for (const column of columns) {
    addColumn(
      body,
      column,
      rows.map((row) => cellOf(row, column, decimals)),
    )
  }
  const fields = columns.map(({ name, kind, nullable }) => ({ name, nullable, type: TYPES[kind] }))
  const stream = joinParts([
    ...framed(schemaMessage(fields)).parts,
    ...recordBatch({ row_count: rows.length, ...body }).parts,
    END_OF_STREAM,
  ])
  for (const bytes of body.buffers) release(bytes)
  return stream
}

function cellOf(row: Row, { name, derived }: RangeColumn, decimals: Decimals): Cell {
  if (derived === undefined) return row[name] ?? null
  const text = derived.text(row, decimals)
  return text === null ? null : Number(text)
}

interface Body {
  readonly nodes: FieldNode[]
  readonly buffers: Uint8Array[]
}

function addColumn(body: Body, { kind }: RangeColumn, cells: readonly Cell[]): void {
  addValidity(body, cells)
  switch (kind) {
    case 'time':
    case 'id':
      body.buffers.push(bytesOf(BigInt64Array.from(cells, (cell) => BigInt((cell ?? 0) as number))))
      return
    case 'price':
    case 'qty':
    case 'number':
      body.buffers.push(bytesOf(Float64Array.from(cells, (cell) => (cell ?? 0) as number)))
      return
    case 'flag':
      body.buffers.push(bitmap(cells, (cell) => cell === true))
      return
    case 'text':
      body.buffers.push(...textBuffers(cells as readonly (string | null)[]))
      return
    case 'levels':
      return addLevels(body, cells as readonly (Float64Array | null)[])
  }
}

/** The validity bitmap; empty if the column has no nulls. */
function addValidity(body: Body, cells: readonly Cell[]): void {
  const null_count = cells.reduce((count: number, cell) => count + (cell === null ? 1 : 0), 0)
  body.nodes.push({ length: cells.length, null_count })
  body.buffers.push(null_count === 0 ? NO_BYTES : bitmap(cells, (cell) => cell !== null))
}

function bitmap(cells: readonly Cell[], isSet: (cell: Cell) => boolean): Uint8Array {
  const bits = new Uint8Array(Math.ceil(cells.length / 8))
  for (const [i, cell] of cells.entries()) if (isSet(cell)) bits[i >> 3]! |= 1 << (i & 7)
  return bits
}

function addLevels(body: Body, lists: readonly (Float64Array | null)[]): void {
  const lengths = lists.map((list) => (list === null ? 0 : list.length / 2))
  const length = lengths.reduce((sum, one) => sum + one, 0)
  const node = { length, null_count: 0 }
  body.buffers.push(bytesOf(offsetsOf(lengths)), NO_BYTES)
  body.nodes.push(node, node, node)
  for (const first of [0, 1]) {
    const numbers = new Float64Array(length)
    let at = 0
    for (const list of lists) {
      if (list === null) continue
      for (let i = first; i < list.length; i += 2) numbers[at++] = list[i]!
    }
    body.buffers.push(NO_BYTES, bytesOf(numbers))
  }
}
