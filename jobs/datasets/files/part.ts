/**
 * Encodes rows of one symbol for both file formats: one page per column for Parquet, one record
 * batch for Arrow. The bytes do not depend on their offset in the file. A symbol's day is cut into
 * parts at whole hours, so that finished hours are encoded once.
 */
import { NEVER, type Feature } from '#core/features.ts'
import type { Column, ColumnType } from '#core/tables.ts'
import type { ColumnData } from '../../columns/columns.ts'
import { encodeColumn, encodeConstant, encodeFloats, type Leaf } from '../../parquet/leaf.ts'
import { encodePage, type EncodedPage } from '../../parquet/table-file.ts'
import { type BatchBytes, encodeBatch, type NamePlaces } from './arrow-batch.ts'
import { hasNull, valuesOf, type DatasetRows } from './dataset-rows.ts'

/** Rows for a Parquet file. */
export interface PartPages {
  readonly row_count: number
  /** In registry order. A column that is constant in all of a symbol's parts uses a dictionary. */
  readonly pages: readonly EncodedPage[]
}

/** All bytes are in one buffer. */
export interface PartBytes extends PartPages {
  readonly batch: BatchBytes
}

const TYPES: Readonly<Record<Exclude<Feature['type'], 'float32'>, ColumnType>> = {
  timestamp_us: 'timestamptz',
  string: 'text',
  float64: 'float8',
  int64: 'int8',
}
const OPTIONS = { plain: false }
export const CODEC = 'zstd'

export function encodePart(
  features: readonly Feature[],
  rows: DatasetRows,
  places: NamePlaces,
): PartBytes {
  return packed({ ...encodePages(features, rows), batch: encodeBatch(features, rows, places) })
}

/**
 * Copies the bytes of a part into one buffer. Thousands of small buffers a day, allocated in one
 * thread and freed in another, leave holes that the allocator does not give back.
 */
function packed({ row_count, pages, batch }: PartBytes): PartBytes {
  const all = new Uint8Array(
    pages.reduce((sum, { bytes }) => sum + bytes.length, batch.bytes.length),
  )
  let end = 0
  const place = (bytes: Uint8Array): Uint8Array<ArrayBuffer> => {
    const own = all.subarray(end, (end += bytes.length))
    own.set(bytes)
    return own
  }
  return {
    row_count,
    pages: pages.map((page) => ({ ...page, bytes: place(page.bytes) })),
    batch: { ...batch, bytes: place(batch.bytes) },
  }
}

export function encodePages(features: readonly Feature[], rows: DatasetRows): PartPages {
  return {
    row_count: rows.ts.length,
    pages: features.map((feature) => encodePage(leafOf(feature, rows), CODEC)),
  }
}

/** The buffer to transfer to another thread instead of copying. It holds all bytes of the part. */
export function bufferOfPart({ batch }: PartBytes): ArrayBuffer {
  return batch.bytes.buffer
}

function leafOf(feature: Feature, rows: DatasetRows): Leaf {
  const row_count = rows.ts.length
  const { name, type, unit, description } = feature
  if (feature.words !== undefined) return wordsOf(feature, feature.words, rows)
  if (type === 'string') {
    return encodeConstant(name === 'exchange' ? rows.exchange : rows.symbol, row_count, OPTIONS)
  }
  const nullable = feature.null_rule !== NEVER
  const values = name === 'ts' ? Float64Array.from(rows.ts, Number) : valuesOf(rows, feature)
  const nulls = nullable ? nullsOf(values) : undefined
  if (type === 'float32') return encodeFloats(values, nulls, nullable)
  const column: Column = { name, type: TYPES[type], nullable, unit, description }
  const data: ColumnData = { kind: 'numbers', values, nulls }
  return encodeColumn(column, data, { from: 0, to: row_count }, OPTIONS)[0]!
}

function wordsOf(feature: Feature, words: readonly string[], rows: DatasetRows): Leaf {
  const { name, unit, description } = feature
  const column: Column = { name, type: 'text', nullable: false, unit, description }
  const data: ColumnData = { kind: 'texts', words, codes: Uint8Array.from(valuesOf(rows, feature)) }
  return encodeColumn(column, data, { from: 0, to: rows.ts.length }, OPTIONS)[0]!
}

/** 1 for each NaN; undefined if there are none. */
function nullsOf(values: Float64Array): Uint8Array | undefined {
  if (!hasNull(values)) return undefined
  const nulls = new Uint8Array(values.length)
  for (let row = 0; row < values.length; row++) if (Number.isNaN(values[row])) nulls[row] = 1
  return nulls
}
