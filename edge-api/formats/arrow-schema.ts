/**
 * The metadata of an Arrow IPC stream: the messages that say what columns there are and where
 * their bytes lie. Slots and numbers are those of Arrow's Schema.fbs and Message.fbs.
 */
import type { ColumnKind, RangeColumn } from '../range/table.ts'
import { FlatBufferBuilder, type Offset, type TableField } from './flatbuffer.ts'

const METADATA_V5 = 4
const HEADER = { schema: 1, record_batch: 3 }
const TYPE = { int: 2, double: 3, utf8: 5, bool: 6, timestamp: 10, list: 12, struct: 13 }
const DOUBLE_PRECISION = 2
const MICROSECONDS = 2

export function schemaMessage(columns: readonly RangeColumn[]): Uint8Array<ArrayBuffer> {
  const builder = new FlatBufferBuilder()
  const fields = columns.map((column) => columnField(builder, column))
  const schema = builder.table([{ slot: 1, offset: builder.offsets(fields) }])
  return message(builder, HEADER.schema, schema, 0)
}

/** Where in the body a buffer lies. */
export interface BodyBuffer {
  readonly offset: number
  readonly byte_count: number
}

export interface FieldNode {
  readonly length: number
  readonly null_count: number
}

export function recordBatchMessage(batch: {
  readonly row_count: number
  readonly nodes: readonly FieldNode[]
  readonly buffers: readonly BodyBuffer[]
  readonly body_byte_count: number
}): Uint8Array<ArrayBuffer> {
  const builder = new FlatBufferBuilder()
  const places = batch.buffers.flatMap(({ offset, byte_count }) => [offset, byte_count])
  const buffers = builder.structs(places, 2)
  const counts = batch.nodes.flatMap(({ length, null_count }) => [length, null_count])
  const nodes = builder.structs(counts, 2)
  const header = builder.table([
    { slot: 0, int64: batch.row_count },
    { slot: 1, offset: nodes },
    { slot: 2, offset: buffers },
  ])
  return message(builder, HEADER.record_batch, header, batch.body_byte_count)
}

function message(
  builder: FlatBufferBuilder,
  header_type: number,
  header: Offset,
  body_byte_count: number,
): Uint8Array<ArrayBuffer> {
  const root = builder.table([
    { slot: 0, int16: METADATA_V5 },
    { slot: 1, int8: header_type },
    { slot: 2, offset: header },
    { slot: 3, int64: body_byte_count },
  ])
  return builder.finish(root)
}

function columnField(builder: FlatBufferBuilder, { name, kind, nullable }: RangeColumn): Offset {
  const { type, type_fields } = typeOf(builder, kind)
  const children = kind === 'levels' ? [levelField(builder)] : []
  return field(builder, name, nullable, type, type_fields, children)
}

function levelField(builder: FlatBufferBuilder): Offset {
  const double: readonly TableField[] = [{ slot: 0, int16: DOUBLE_PRECISION }]
  const numbers = ['price', 'qty'].map((name) =>
    field(builder, name, false, TYPE.double, double, []),
  )
  return field(builder, 'item', false, TYPE.struct, [], numbers)
}

function field(
  builder: FlatBufferBuilder,
  name: string,
  nullable: boolean,
  type: number,
  type_fields: readonly TableField[],
  children: readonly Offset[],
): Offset {
  return builder.table([
    { slot: 0, offset: builder.string(name) },
    { slot: 1, int8: nullable ? 1 : 0 },
    { slot: 2, int8: type },
    { slot: 3, offset: builder.table(type_fields) },
    { slot: 5, offset: builder.offsets(children) },
  ])
}

function typeOf(
  builder: FlatBufferBuilder,
  kind: ColumnKind,
): { readonly type: number; readonly type_fields: readonly TableField[] } {
  switch (kind) {
    case 'time':
      return {
        type: TYPE.timestamp,
        type_fields: [
          { slot: 0, int16: MICROSECONDS },
          { slot: 1, offset: builder.string('UTC') },
        ],
      }
    case 'id':
      return {
        type: TYPE.int,
        type_fields: [
          { slot: 0, int32: 64 },
          { slot: 1, int8: 1 },
        ],
      }
    case 'flag':
      return { type: TYPE.bool, type_fields: [] }
    case 'text':
      return { type: TYPE.utf8, type_fields: [] }
    case 'levels':
      return { type: TYPE.list, type_fields: [] }
    case 'price':
    case 'qty':
    case 'number':
      return { type: TYPE.double, type_fields: [{ slot: 0, int16: DOUBLE_PRECISION }] }
  }
}
