/**
 * One symbol's rows of a registry dataset as the bytes of a Parquet row group: zstd, statistics on.
 * It does not depend on where in a file it will lie, so any thread can make it.
 */
import type { ColumnChunk } from 'hyparquet'
import { NEVER, type Feature } from '#core/features.ts'
import type { Column, ColumnType } from '#core/tables.ts'
import type { ColumnData } from '../archive/columns.ts'
import { encodeColumn, encodeConstant } from '../archive/parquet/leaf.ts'
import { encodeChunk } from '../archive/parquet/write.ts'
import { hasNull, valuesOf, type SymbolRows } from './rows.ts'

export interface RowGroupBytes {
  readonly row_count: number
  /** With a buffer of its own: it goes from thread to thread. */
  readonly bytes: Uint8Array<ArrayBuffer>
  /** Their offsets count from the group's first byte. */
  readonly columns: readonly ColumnChunk[]
}

const TYPES: Readonly<Record<Feature['type'], ColumnType>> = {
  timestamp_us: 'timestamptz',
  string: 'text',
  float64: 'float8',
  int64: 'int8',
}
const OPTIONS = { plain: false }

export function encodeRowGroup(features: readonly Feature[], rows: SymbolRows): RowGroupBytes {
  const row_count = rows.ts.length
  const columns: ColumnChunk[] = []
  const parts: Uint8Array[] = []
  let byte_count = 0
  for (const feature of features) {
    const chunk = encodeChunk(leafOf(feature, rows), [feature.name], 'zstd', byte_count)
    columns.push(chunk.column)
    parts.push(...chunk.parts)
    byte_count += chunk.byte_count
  }
  const bytes = new Uint8Array(byte_count)
  let at = 0
  for (const part of parts) {
    bytes.set(part, at)
    at += part.length
  }
  return { row_count, bytes, columns }
}

function leafOf(feature: Feature, rows: SymbolRows): ReturnType<typeof encodeConstant> {
  const row_count = rows.ts.length
  const { name, type, unit, description } = feature
  if (type === 'string') {
    return encodeConstant(name === 'exchange' ? rows.exchange : rows.symbol, row_count, OPTIONS)
  }
  const nullable = feature.null_rule !== NEVER
  const column: Column = { name, type: TYPES[type], nullable, unit, description }
  const is_time = type === 'timestamp_us'
  const values = is_time ? Float64Array.from(rows.ts, Number) : valuesOf(rows, feature)
  const nulls = nullable ? nullsOf(values) : undefined
  const data: ColumnData = { kind: 'numbers', values, nulls }
  return encodeColumn(column, data, { from: 0, to: row_count }, OPTIONS)[0]!
}

/** 1 where a value is NaN; undefined where none is. */
function nullsOf(values: Float64Array): Uint8Array | undefined {
  if (!hasNull(values)) return undefined
  const nulls = new Uint8Array(values.length)
  for (let row = 0; row < values.length; row++) if (Number.isNaN(values[row])) nulls[row] = 1
  return nulls
}
