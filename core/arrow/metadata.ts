/**
 * The metadata of Arrow IPC: the messages that describe the columns and locate their bytes, and the
 * footer of a file. Slots and numbers are from Arrow's Schema.fbs, Message.fbs and File.fbs. Fields
 * are written in the order of apache-arrow for JavaScript, which wrote earlier datasets, so that
 * rebuilt files keep their bytes.
 */
import { FlatBufferBuilder, type Offset, type TableField } from './flatbuffer.ts'

/** `levels`: a list of {price, qty}. `name`: text, as indexes into a dictionary. */
export type ArrowType =
  | 'timestamp_us'
  | 'int64'
  | 'float64'
  | 'float32'
  | 'bool'
  | 'utf8'
  | 'levels'
  | 'name'

export interface ArrowField {
  readonly name: string
  readonly type: ArrowType
  readonly nullable: boolean
  /** For a `name`: the dictionary of its indexes. */
  readonly dictionary_id?: number
}

/** The position of a buffer in the body. */
export interface BodyBuffer {
  readonly offset: number
  readonly byte_count: number
}

export interface FieldNode {
  readonly length: number
  readonly null_count: number
}

export interface Batch {
  readonly row_count: number
  readonly nodes: readonly FieldNode[]
  readonly buffers: readonly BodyBuffer[]
  readonly body_byte_count: number
  /** Each buffer is its length, then zstd data. */
  readonly is_compressed: boolean
}

/** The position of a message in a file. */
export interface Block {
  readonly offset: number
  readonly metadata_bytes: number
  readonly body_bytes: number
}

const METADATA_V5 = 4
const HEADER = { schema: 1, dictionary_batch: 2, record_batch: 3 }
const TYPE = { int: 2, double: 3, utf8: 5, bool: 6, timestamp: 10, list: 12, struct: 13 }
const SINGLE_PRECISION = 1
const DOUBLE_PRECISION = 2
const MICROSECONDS = 2
const ZSTD = 1
const TWO_32 = 2 ** 32

export function schemaMessage(fields: readonly ArrowField[]): Uint8Array<ArrayBuffer> {
  const builder = new FlatBufferBuilder()
  return message(builder, HEADER.schema, schemaTable(builder, fields, []), 0)
}

export function recordBatchMessage(batch: Batch): Uint8Array<ArrayBuffer> {
  const builder = new FlatBufferBuilder()
  return message(builder, HEADER.record_batch, batchTable(builder, batch), batch.body_byte_count)
}

/** The values of a dictionary, as a batch of one column. */
export function dictionaryMessage(id: number, batch: Batch): Uint8Array<ArrayBuffer> {
  const builder = new FlatBufferBuilder()
  const data = batchTable(builder, batch)
  const header = builder.table([
    { slot: 0, int64: id },
    { slot: 1, offset: data },
  ])
  return message(builder, HEADER.dictionary_batch, header, batch.body_byte_count)
}

export function footer(
  fields: readonly ArrowField[],
  facts: readonly (readonly [string, string])[],
  dictionaries: readonly Block[],
  batches: readonly Block[],
): Uint8Array<ArrayBuffer> {
  const builder = new FlatBufferBuilder()
  const schema = schemaTable(builder, fields, facts)
  const record_batches = blocks(builder, batches)
  const dictionary_batches = blocks(builder, dictionaries)
  const root = builder.table([
    { slot: 1, offset: schema },
    { slot: 0, int16: METADATA_V5 },
    { slot: 3, offset: record_batches },
    { slot: 2, offset: dictionary_batches },
  ])
  return builder.finish(root)
}

/** The metadata length has 32 bits, followed by 32 bits of padding. */
function blocks(builder: FlatBufferBuilder, list: readonly Block[]): Offset {
  const numbers = list.flatMap(({ offset, metadata_bytes, body_bytes }) => {
    if (metadata_bytes >= TWO_32) throw new RangeError('Metadata of 4 GiB.')
    return [offset, metadata_bytes, body_bytes]
  })
  return builder.structs(numbers, 3)
}

function message(
  builder: FlatBufferBuilder,
  header_type: number,
  header: Offset,
  body_byte_count: number,
): Uint8Array<ArrayBuffer> {
  const root = builder.table([
    { slot: 0, int16: METADATA_V5 },
    { slot: 2, offset: header },
    { slot: 1, int8: header_type },
    { slot: 3, int64: body_byte_count },
  ])
  return builder.finish(root)
}

function batchTable(builder: FlatBufferBuilder, batch: Batch): Offset {
  const counts = batch.nodes.flatMap(({ length, null_count }) => [length, null_count])
  const nodes = builder.structs(counts, 2)
  const places = batch.buffers.flatMap(({ offset, byte_count }) => [offset, byte_count])
  const buffers = builder.structs(places, 2)
  const compression = batch.is_compressed ? [builder.table([{ slot: 0, int8: ZSTD }])] : []
  return builder.table([
    { slot: 0, int64: batch.row_count },
    { slot: 1, offset: nodes },
    { slot: 2, offset: buffers },
    ...compression.map((offset) => ({ slot: 3, offset })),
  ])
}

function schemaTable(
  builder: FlatBufferBuilder,
  fields: readonly ArrowField[],
  facts: readonly (readonly [string, string])[],
): Offset {
  const columns = builder.offsets(fields.map((one) => columnField(builder, one)))
  if (facts.length === 0) return builder.table([{ slot: 1, offset: columns }])
  const pairs = facts.map((pair) => {
    const [key, value] = pair.map((text) => builder.string(text))
    return builder.table([
      { slot: 0, offset: key! },
      { slot: 1, offset: value! },
    ])
  })
  return builder.table([
    { slot: 1, offset: columns },
    { slot: 2, offset: builder.offsets(pairs) },
  ])
}

function columnField(builder: FlatBufferBuilder, of: ArrowField): Offset {
  const { name, type, nullable, dictionary_id } = of
  const dictionary = dictionary_id === undefined ? [] : [encoding(builder, dictionary_id)]
  const { type_number, type_fields } = typeOf(builder, type)
  const type_table = builder.table(type_fields)
  const children = type === 'levels' ? [levelField(builder)] : []
  return field(builder, name, nullable, type_number, type_table, children, dictionary)
}

/** Dictionary indexes are int32. */
function encoding(builder: FlatBufferBuilder, id: number): Offset {
  const index = builder.table([
    { slot: 0, int32: 32 },
    { slot: 1, int8: 1 },
  ])
  return builder.table([
    { slot: 0, int64: id },
    { slot: 1, offset: index },
  ])
}

function levelField(builder: FlatBufferBuilder): Offset {
  const numbers = ['price', 'qty'].map((name) => {
    const double = builder.table([{ slot: 0, int16: DOUBLE_PRECISION }])
    return field(builder, name, false, TYPE.double, double, [], [])
  })
  return field(builder, 'item', false, TYPE.struct, builder.table([]), numbers, [])
}

function field(
  builder: FlatBufferBuilder,
  name: string,
  nullable: boolean,
  type_number: number,
  type_table: Offset,
  children: readonly Offset[],
  dictionary: readonly Offset[],
): Offset {
  const child_list = builder.offsets(children)
  const name_text = builder.string(name)
  return builder.table([
    { slot: 3, offset: type_table },
    { slot: 2, int8: type_number },
    { slot: 5, offset: child_list },
    { slot: 1, int8: nullable ? 1 : 0 },
    { slot: 0, offset: name_text },
    ...dictionary.map((offset) => ({ slot: 4, offset })),
  ])
}

function typeOf(
  builder: FlatBufferBuilder,
  type: ArrowType,
): { readonly type_number: number; readonly type_fields: readonly TableField[] } {
  switch (type) {
    case 'timestamp_us':
      return {
        type_number: TYPE.timestamp,
        type_fields: [
          { slot: 0, int16: MICROSECONDS },
          { slot: 1, offset: builder.string('UTC') },
        ],
      }
    case 'int64':
      return {
        type_number: TYPE.int,
        type_fields: [
          { slot: 0, int32: 64 },
          { slot: 1, int8: 1 },
        ],
      }
    case 'float64':
      return { type_number: TYPE.double, type_fields: [{ slot: 0, int16: DOUBLE_PRECISION }] }
    case 'float32':
      return { type_number: TYPE.double, type_fields: [{ slot: 0, int16: SINGLE_PRECISION }] }
    case 'bool':
      return { type_number: TYPE.bool, type_fields: [] }
    case 'utf8':
    case 'name':
      return { type_number: TYPE.utf8, type_fields: [] }
    case 'levels':
      return { type_number: TYPE.list, type_fields: [] }
  }
}
