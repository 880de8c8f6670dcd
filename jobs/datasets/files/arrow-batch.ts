/**
 * Rows of one symbol as an Arrow record batch: the message and its body, zstd. It does not depend on
 * where in a file it will lie, so any thread can make it, and it can be kept.
 */
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
  Schema,
  Struct,
  TimestampMicrosecond,
  Utf8,
  vectorFromArray,
  type Data,
  type DataType,
} from 'apache-arrow'
import { NEVER, type Feature } from '#core/features.ts'
import { hasNull, valuesOf, type DatasetRows } from './dataset-rows.ts'

compressionRegistry.set(CompressionType.ZSTD, {
  encode: (bytes) =>
    zstdCompressSync(bytes, { params: { [constants.ZSTD_c_compressionLevel]: 1 } }),
  decode: (bytes) => zstdDecompressSync(bytes),
})

/** Places of a symbol's names in the file's dictionaries. */
export interface NamePlaces {
  readonly exchange: number
  readonly symbol: number
}

export interface BatchBytes {
  /** With a buffer of its own: it goes from thread to thread. */
  readonly bytes: Uint8Array<ArrayBuffer>
  /** Of the message in front of the body. */
  readonly metadata_bytes: number
  readonly body_bytes: number
}

/** Ids of the dictionaries: given, so that the same rows make the same bytes. */
export const DICTIONARY_IDS = { exchange: 0, symbol: 1 } as const

export function arrowFields(features: readonly Feature[]): readonly Field[] {
  return features.map((feature) => new Field(feature.name, typeOf(feature), feature.null_rule !== NEVER))
}

export function encodeBatch(
  features: readonly Feature[],
  rows: DatasetRows,
  places: NamePlaces,
): BatchBytes {
  const fields = [...arrowFields(features)]
  const length = rows.ts.length
  const children = features.map((feature, i) => columnData(feature, fields[i]!.type, rows, places))
  const data = makeData({ type: new Struct(fields), length, nullCount: 0, children })
  return new BatchWriter().encode(new RecordBatch(new Schema(fields), data))
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
export class ArrowWriter extends RecordBatchFileWriter {
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

/** One batch, without the file around it. */
class BatchWriter extends ArrowWriter {
  encode(batch: RecordBatch): BatchBytes {
    this._started = true
    this._writeRecordBatch(batch)
    const { metaDataLength: metadata_bytes, bodyLength: body_bytes } = this._recordBatchBlocks[0]!
    const bytes = new Uint8Array(metadata_bytes + body_bytes)
    let at = 0
    for (const chunk of this.take()) {
      bytes.set(chunk, at)
      at += chunk.length
    }
    return { bytes, metadata_bytes, body_bytes }
  }

  /** They are the file's. */
  protected override _writeDictionaries(): this {
    return this
  }
}

function typeOf({ name, type }: Feature): DataType {
  switch (type) {
    case 'timestamp_us':
      return new TimestampMicrosecond('UTC')
    case 'string':
      return new Dictionary(new Utf8(), new Int32(), DICTIONARY_IDS[name as keyof NamePlaces])
    case 'float64':
      return new Float64()
    case 'int64':
      return new Int64()
  }
}

/** A batch holds places in dictionaries that are not in it. */
const NO_WORDS = vectorFromArray([], new Utf8())

function columnData(
  feature: Feature,
  type: DataType,
  rows: DatasetRows,
  places: NamePlaces,
): Data {
  const length = rows.ts.length
  switch (feature.type) {
    case 'timestamp_us':
      return makeData({ type: type as TimestampMicrosecond, length, nullCount: 0, data: rows.ts })
    case 'string':
      return makeData({
        type: type as Dictionary<Utf8, Int32>,
        length,
        nullCount: 0,
        data: new Int32Array(length).fill(places[feature.name as keyof NamePlaces]),
        dictionary: NO_WORDS,
      })
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
