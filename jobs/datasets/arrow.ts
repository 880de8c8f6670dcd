/**
 * Writes an Arrow IPC file: zstd, microsecond UTC timestamps, names as dictionaries, one record
 * batch a symbol. Dictionary ids are given, so that the same rows make the same bytes.
 */
import { open, type FileHandle } from 'node:fs/promises'
import { constants, zstdCompressSync, zstdDecompressSync } from 'node:zlib'
import {
  CompressionType,
  compressionRegistry,
  Dictionary,
  Field,
  Float64,
  Int32,
  Int64,
  makeData,
  RecordBatch,
  RecordBatchFileWriter,
  RecordBatchReader,
  Schema,
  Struct,
  TimestampMicrosecond,
  Utf8,
  vectorFromArray,
  type Data,
  type DataType,
  type Vector,
} from 'apache-arrow'
import { NEVER, type Feature } from '#core/features.ts'
import { hasNull, identityPairs, valuesOf, type FileIdentity, type SymbolRows } from './rows.ts'

compressionRegistry.set(CompressionType.ZSTD, {
  encode: (bytes) =>
    zstdCompressSync(bytes, { params: { [constants.ZSTD_c_compressionLevel]: 1 } }),
  decode: (bytes) => zstdDecompressSync(bytes),
})

/** The values that the name columns take, known before the first row. */
export interface NameLists {
  readonly exchange: readonly string[]
  readonly symbol: readonly string[]
}

export interface FeaturesArrow {
  write(rows: SymbolRows): Promise<void>
  finish(): Promise<void>
  /** After finish(), or where there is none. */
  close(): Promise<void>
}

export async function createFeaturesArrow(
  path: string,
  features: readonly Feature[],
  names: NameLists,
  identity: FileIdentity,
): Promise<FeaturesArrow> {
  const dictionaries = {
    exchange: dictionary(names.exchange, 0),
    symbol: dictionary(names.symbol, 1),
  }
  const types = features.map((feature) => typeOf(feature, dictionaries))
  const fields = features.map(
    ({ name, null_rule }, i) => new Field(name, types[i]!, null_rule !== NEVER),
  )
  const schema = new Schema(fields, new Map(identityPairs(identity)))
  const file = await open(path, 'w')
  const writer = new FileWriter()
  const flush = async (): Promise<void> => {
    for (const chunk of writer.take()) await file.writeFile(chunk)
  }
  return {
    async write(rows) {
      const length = rows.ts.length
      const children = features.map((feature, i) =>
        columnData(feature, types[i]!, rows, dictionaries, names),
      )
      const data = makeData({ type: new Struct(fields), length, nullCount: 0, children })
      writer.write(new RecordBatch(schema, data))
      await flush()
    },
    async finish() {
      writer.finish()
      await flush()
    },
    close: () => file.close(),
  }
}

/** The batches of a file that createFeaturesArrow wrote, one at a time. */
export async function openArrow(handle: FileHandle): Promise<RecordBatchReader> {
  const reader = await RecordBatchReader.from(handle)
  await reader.open()
  return reader
}

interface BodyBuffers {
  readonly byteLength: number
  readonly bufferRegions: never[]
  readonly buffers: ArrayBufferView[]
}

/**
 * apache-arrow 21.2's writer with two changes. Its compressed buffers carry the compressed
 * length where the format wants the uncompressed one, which only it can read; and it queues its
 * output without a bound, where ours is taken after every batch.
 */
class FileWriter extends RecordBatchFileWriter {
  #chunks: Uint8Array[] = []

  constructor() {
    super({ compressionType: CompressionType.ZSTD })
  }

  take(): readonly Uint8Array[] {
    const chunks = this.#chunks
    this.#chunks = []
    return chunks
  }

  protected override _write(chunk: ArrayBufferView): this {
    if (this._started && chunk.byteLength > 0) {
      this.#chunks.push(new Uint8Array(chunk.buffer, chunk.byteOffset, chunk.byteLength))
      this._position += chunk.byteLength
    }
    return this
  }

  protected override _compressBodyBuffers(buffers: ArrayBufferView[]): BodyBuffers {
    const body = super._compressBodyBuffers(buffers) as BodyBuffers
    for (const [i, buffer] of buffers.entries()) {
      // Two entries a buffer: the length, and the bytes. -1 marks bytes left uncompressed.
      const length = body.buffers[i * 2]!
      if (length.byteLength !== 8) continue
      const view = new DataView(length.buffer, length.byteOffset, 8)
      if (view.getBigInt64(0, true) !== -1n) view.setBigInt64(0, BigInt(buffer.byteLength), true)
    }
    return body
  }
}

type NameDictionary = Vector<Dictionary<Utf8, Int32>>['type']
interface NameColumn {
  readonly type: NameDictionary
  readonly values: Vector<Utf8>
}
type NameColumns = Readonly<Record<keyof NameLists, NameColumn>>

function dictionary(names: readonly string[], id: number): NameColumn {
  return {
    type: new Dictionary(new Utf8(), new Int32(), id),
    values: vectorFromArray([...names], new Utf8()),
  }
}

function typeOf({ name, type }: Feature, dictionaries: NameColumns): DataType {
  switch (type) {
    case 'timestamp_us':
      return new TimestampMicrosecond('UTC')
    case 'string':
      return dictionaries[name as keyof NameLists].type
    case 'float64':
      return new Float64()
    case 'int64':
      return new Int64()
  }
}

function columnData(
  feature: Feature,
  type: DataType,
  rows: SymbolRows,
  dictionaries: NameColumns,
  names: NameLists,
): Data {
  const length = rows.ts.length
  switch (feature.type) {
    case 'timestamp_us':
      return makeData({ type: type as TimestampMicrosecond, length, nullCount: 0, data: rows.ts })
    case 'string': {
      const name = feature.name as keyof NameLists
      const data = new Int32Array(length).fill(names[name].indexOf(rows[name]))
      return makeData({
        type: type as NameDictionary,
        length,
        nullCount: 0,
        data,
        dictionary: dictionaries[name].values,
      })
    }
    case 'float64': {
      const { values, ...nulls } = splitNulls(valuesOf(rows, feature))
      return makeData({ type: type as Float64, length, ...nulls, data: values })
    }
    case 'int64': {
      const { values, ...nulls } = splitNulls(valuesOf(rows, feature))
      const data = BigInt64Array.from(values, BigInt)
      return makeData({ type: type as Int64, length, ...nulls, data })
    }
  }
}

/** NaN becomes 0 under a cleared bit: what lies under a null must not vary either. */
function splitNulls(column: Float64Array): {
  readonly values: Float64Array
  readonly nullCount: number
  readonly nullBitmap: Uint8Array | undefined
} {
  if (!hasNull(column)) return { values: column, nullCount: 0, nullBitmap: undefined }
  const values = column.slice()
  const nullBitmap = new Uint8Array(Math.ceil(values.length / 64) * 8)
  let nullCount = 0
  for (let i = 0; i < values.length; i++) {
    if (Number.isNaN(values[i])) {
      values[i] = 0
      nullCount += 1
    } else nullBitmap[i >> 3]! |= 1 << (i & 7)
  }
  return { values, nullCount, nullBitmap }
}
