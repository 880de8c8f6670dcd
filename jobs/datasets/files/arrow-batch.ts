/**
 * Encodes rows of one symbol as an Arrow record batch: the message and its zstd-compressed body.
 * The bytes do not depend on their offset in the file, so any thread can encode them, and they can
 * be kept.
 */
import { constants, zstdCompressSync } from 'node:zlib'
import { bytesOf, type Compress, joinParts, NO_BYTES, recordBatch } from '#core/arrow/message.ts'
import type { ArrowField, ArrowType, FieldNode } from '#core/arrow/metadata.ts'
import { NEVER, type Feature } from '#core/features.ts'
import { hasNull, valuesOf, type DatasetRows } from './dataset-rows.ts'

export const compress: Compress = (bytes) =>
  zstdCompressSync(bytes, { params: { [constants.ZSTD_c_compressionLevel]: 1 } })

/** Indexes of a symbol's names in the file's dictionaries. */
export interface NamePlaces {
  readonly exchange: number
  readonly symbol: number
}

export interface BatchBytes {
  readonly bytes: Uint8Array<ArrayBuffer>
  /** Length of the message before the body. */
  readonly metadata_bytes: number
  readonly body_bytes: number
}

/** Fixed ids of the dictionaries, so that equal rows give equal bytes. */
export const DICTIONARY_IDS = { exchange: 0, symbol: 1 } as const

/** Columns with words of their own. Their dictionaries follow those of the names. */
export function wordLists(
  features: readonly Feature[],
): readonly { readonly name: string; readonly id: number; readonly words: readonly string[] }[] {
  return features
    .flatMap(({ name, words }) => (words === undefined ? [] : [{ name, words }]))
    .map((list, i) => ({ ...list, id: Object.keys(DICTIONARY_IDS).length + i }))
}

const TYPES: Readonly<Record<Feature['type'], ArrowType>> = {
  timestamp_us: 'timestamp_us',
  string: 'name',
  float64: 'float64',
  float32: 'float32',
  int64: 'int64',
}

export function arrowFields(features: readonly Feature[]): readonly ArrowField[] {
  const lists = new Map(wordLists(features).map(({ name, id }) => [name, id]))
  return features.map(({ name, type, null_rule }) => ({
    name,
    type: TYPES[type],
    nullable: null_rule !== NEVER,
    ...(type === 'string'
      ? { dictionary_id: lists.get(name) ?? DICTIONARY_IDS[name as keyof NamePlaces] }
      : {}),
  }))
}

export function encodeBatch(
  features: readonly Feature[],
  rows: DatasetRows,
  places: NamePlaces,
): BatchBytes {
  const columns = features.map((feature) => columnOf(feature, rows, places))
  const { parts, metadata_bytes, body_bytes } = recordBatch(
    {
      row_count: rows.ts.length,
      nodes: columns.map(({ node }) => node),
      buffers: columns.flatMap(({ validity, values }) => [validity, values]),
    },
    compress,
  )
  return { bytes: joinParts(parts), metadata_bytes, body_bytes }
}

interface ArrowColumn {
  readonly node: FieldNode
  /** Empty if nothing is null. */
  readonly validity: Uint8Array
  readonly values: Uint8Array
}

function columnOf(feature: Feature, rows: DatasetRows, places: NamePlaces): ArrowColumn {
  const { length } = rows.ts
  if (feature.name === 'ts') {
    return { node: { length, null_count: 0 }, validity: NO_BYTES, values: bytesOf(rows.ts) }
  }
  if (feature.words !== undefined) {
    const values = bytesOf(Int32Array.from(valuesOf(rows, feature)))
    return { node: { length, null_count: 0 }, validity: NO_BYTES, values }
  }
  switch (feature.type) {
    case 'string': {
      const place = places[feature.name as keyof NamePlaces]
      const values = bytesOf(new Int32Array(length).fill(place))
      return { node: { length, null_count: 0 }, validity: NO_BYTES, values }
    }
    case 'float64': {
      const { values, null_count, validity } = splitNulls(valuesOf(rows, feature))
      return { node: { length, null_count }, validity, values: bytesOf(values) }
    }
    case 'float32': {
      const { values, null_count, validity } = splitNulls(valuesOf(rows, feature))
      return { node: { length, null_count }, validity, values: bytesOf(Float32Array.from(values)) }
    }
    case 'timestamp_us':
    case 'int64': {
      const { values, null_count, validity } = splitNulls(valuesOf(rows, feature))
      const integers = BigInt64Array.from(values, BigInt)
      return { node: { length, null_count }, validity, values: bytesOf(integers) }
    }
  }
}

/** Replaces NaN by 0 and clears its bit: the bytes under a null must not vary either. */
function splitNulls(column: Float64Array): {
  readonly values: Float64Array
  readonly null_count: number
  readonly validity: Uint8Array
} {
  if (!hasNull(column)) return { values: column, null_count: 0, validity: NO_BYTES }
  const values = column.slice()
  const validity = new Uint8Array(Math.ceil(values.length / 64) * 8)
  let null_count = 0
  for (let i = 0; i < values.length; i++) {
    if (Number.isNaN(values[i])) {
      values[i] = 0
      null_count += 1
    } else validity[i >> 3]! |= 1 << (i & 7)
  }
  return { values, null_count, validity }
}
