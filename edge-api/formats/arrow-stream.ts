/**
 * Rows as an Arrow IPC stream: one schema, one record batch. Prices and quantities are doubles,
 * times are microseconds in UTC, levels lists of {price, qty}. Written by hand, since apache-arrow
 * alone is 50 KiB of the worker's bundle.
 */
import type { Decimals } from '../decimal-text.ts'
import type { Cell, RangeColumn, Row } from '../range/table.ts'
import { release } from '../release.ts'
import { recordBatchMessage, schemaMessage, type FieldNode } from './arrow-schema.ts'

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
  let body_byte_count = 0
  const buffers = body.buffers.map((bytes) => {
    const offset = body_byte_count
    body_byte_count += padded(bytes.byteLength)
    return { offset, byte_count: bytes.byteLength }
  })
  const batch = { row_count: rows.length, nodes: body.nodes, buffers, body_byte_count }
  const stream = join([
    ...framed(schemaMessage(columns)),
    ...framed(recordBatchMessage(batch)),
    ...body.buffers,
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

const CONTINUATION = Uint8Array.of(255, 255, 255, 255)
const END_OF_STREAM = Uint8Array.of(255, 255, 255, 255, 0, 0, 0, 0)
const NO_BYTES = new Uint8Array(0)

function framed(metadata: Uint8Array): readonly Uint8Array[] {
  return [join([CONTINUATION, bytesOf(Int32Array.of(metadata.byteLength))], 4), metadata]
}

/** Every part begins at a multiple of `alignment`. */
function join(parts: readonly Uint8Array[], alignment = 8): Uint8Array<ArrayBuffer> {
  const byte_count = parts.reduce((sum, part) => sum + padded(part.byteLength, alignment), 0)
  const joined = new Uint8Array(byte_count)
  let at = 0
  for (const part of parts) {
    joined.set(part, at)
    at += padded(part.byteLength, alignment)
  }
  return joined
}

function padded(byte_count: number, alignment = 8): number {
  return Math.ceil(byte_count / alignment) * alignment
}

function bytesOf({ buffer, byteOffset, byteLength }: ArrayBufferView): Uint8Array {
  return new Uint8Array(buffer, byteOffset, byteLength)
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
      return addTexts(body, cells as readonly (string | null)[])
    case 'levels':
      return addLevels(body, cells as readonly (Float64Array | null)[])
  }
}

/** Which values are no nulls; left out where none is. */
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

function addTexts(body: Body, texts: readonly (string | null)[]): void {
  const encoder = new TextEncoder()
  const parts = texts.map((text) => (text === null ? NO_BYTES : encoder.encode(text)))
  body.buffers.push(offsetsOf(parts.map((part) => part.byteLength)), join(parts, 1))
}

function addLevels(body: Body, lists: readonly (Float64Array | null)[]): void {
  const lengths = lists.map((list) => (list === null ? 0 : list.length / 2))
  const length = lengths.reduce((sum, one) => sum + one, 0)
  const node = { length, null_count: 0 }
  body.buffers.push(offsetsOf(lengths), NO_BYTES)
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

/** Where each of them begins, and where the last one ends. */
function offsetsOf(lengths: readonly number[]): Uint8Array {
  const offsets = new Int32Array(lengths.length + 1)
  for (const [i, length] of lengths.entries()) offsets[i + 1] = offsets[i]! + length
  return bytesOf(offsets)
}
