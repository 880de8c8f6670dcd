/**
 * Encodes one leaf of a row group as the body of its page, with statistics for the footer. Whole
 * numbers are delta-packed if that is smaller for most data. Doubles stay plain: zstd compresses
 * them better than split or scaled ones.
 */
import type { Encoding, ParquetType, Statistics } from 'hyparquet'
import { ByteWriter } from 'hyparquet-writer'
import { writeRleBitPackedHybrid } from 'hyparquet-writer/src/encoding.js'
import type { ArchivedColumn } from '#core/archived-tables.ts'
import {
  type ColumnData,
  type FlagColumn,
  type LevelColumn,
  levelStart,
  type NumberColumn,
} from '../columns/columns.ts'
import { encodeDelta } from './delta.ts'

/** Rows [from, to) to write. */
export interface RowRange {
  readonly from: number
  readonly to: number
}

export interface Leaf {
  readonly type: ParquetType
  readonly encoding: Encoding
  /** Repetition levels, definition levels and values, as in a version 1 data page. */
  readonly body: Uint8Array
  /** The words that the values index; undefined without a dictionary. */
  readonly dictionary: readonly string[] | undefined
  /** Counts values and nulls, and one for each empty list. */
  readonly value_count: number
  readonly statistics: Statistics
}

/** `plain`: use only PLAIN, for readers that know no other encoding. */
export interface LeafOptions {
  readonly plain: boolean
}

/** In the order of `leafPaths`. */
export function encodeColumn(
  column: ArchivedColumn,
  data: ColumnData,
  range: RowRange,
  options: LeafOptions,
): readonly Leaf[] {
  switch (data.kind) {
    case 'numbers':
      return [encodeNumbers(column, data, range, options)]
    case 'flags':
      return [encodeFlags(data, range)]
    case 'texts':
      return [encodeWords(data.words, data.codes.subarray(range.from, range.to), options)]
    case 'levels':
      return encodeLevels(data, range)
  }
}

/** Encodes a column with the same word in every row. */
export function encodeConstant(word: string, row_count: number, options: LeafOptions): Leaf {
  return encodeWords([word], new Uint8Array(row_count), options)
}

function encodeNumbers(
  column: ArchivedColumn,
  { values, nulls }: NumberColumn,
  { from, to }: RowRange,
  { plain }: LeafOptions,
): Leaf {
  const present =
    nulls === undefined ? values.slice(from, to) : withoutNulls(values, nulls, from, to)
  const is_double = column.type === 'float8'
  const delta = is_double || plain || present.length === 0 ? undefined : encodeDelta(present)
  const bytes = delta ?? bytesOf(is_double ? present : BigInt64Array.from(present, BigInt))
  const bounds = boundsOf(present)
  const bound = (value: number): number | bigint => (is_double ? value : BigInt(value))
  return {
    type: is_double ? 'DOUBLE' : 'INT64',
    encoding: delta === undefined ? 'PLAIN' : 'DELTA_BINARY_PACKED',
    body: column.nullable ? joined(definitionLevels(nulls, from, to), bytes) : bytes,
    dictionary: undefined,
    value_count: to - from,
    statistics: {
      null_count: BigInt(to - from - present.length),
      ...(bounds === undefined
        ? {}
        : { min_value: bound(bounds.min), max_value: bound(bounds.max) }),
    },
  }
}

/** Encodes doubles as float32: each the nearest one. */
export function encodeFloats(
  values: Float64Array,
  nulls: Uint8Array | undefined,
  nullable: boolean,
): Leaf {
  const to = values.length
  const known = nulls === undefined ? values : withoutNulls(values, nulls, 0, to)
  const present = Float32Array.from(known)
  const bytes = bytesOf(present)
  const bounds = boundsOf(present)
  return {
    type: 'FLOAT',
    encoding: 'PLAIN',
    body: nullable ? joined(definitionLevels(nulls, 0, to), bytes) : bytes,
    dictionary: undefined,
    value_count: to,
    statistics: {
      null_count: BigInt(to - present.length),
      ...(bounds === undefined ? {} : { min_value: bounds.min, max_value: bounds.max }),
    },
  }
}

function encodeFlags({ values }: FlagColumn, { from, to }: RowRange): Leaf {
  const body = new Uint8Array(Math.ceil((to - from) / 8))
  let true_count = 0
  for (let row = from; row < to; row++) {
    if (values[row] === 0) continue
    true_count++
    body[(row - from) >> 3]! |= 1 << ((row - from) & 7)
  }
  return {
    type: 'BOOLEAN',
    encoding: 'PLAIN',
    body,
    dictionary: undefined,
    value_count: to - from,
    statistics: {
      null_count: 0n,
      min_value: true_count === to - from,
      max_value: true_count > 0,
    },
  }
}

function encodeWords(words: readonly string[], codes: Uint8Array, { plain }: LeafOptions): Leaf {
  const used = words.filter((_, code) => codes.includes(code))
  return {
    type: 'BYTE_ARRAY',
    encoding: plain ? 'PLAIN' : 'RLE_DICTIONARY',
    body: plain ? plainWords(words, codes) : wordNumbers(words, codes),
    dictionary: plain ? undefined : words,
    value_count: codes.length,
    statistics: { null_count: 0n, min_value: used[0]!, max_value: used.at(-1)! },
  }
}

/** A dictionary's page: the length and bytes of each word. */
export function plainWords(words: readonly string[], codes: Iterable<number>): Uint8Array {
  const encoded = words.map((word) => {
    const bytes = Buffer.from(word)
    const length = Buffer.alloc(4)
    length.writeUInt32LE(bytes.length)
    return Buffer.concat([length, bytes])
  })
  return Buffer.concat(Array.from(codes, (code) => encoded[code]!))
}

/** At least one bit per index, although one word needs none: not every reader accepts that. */
function wordNumbers(words: readonly string[], codes: Uint8Array): Uint8Array {
  const width = Math.max(1, 32 - Math.clz32(words.length - 1))
  return joined(Uint8Array.of(width), hybrid(codes, width))
}

/** Price and qty. They share their levels: 1 repeats the list, and 0 defines an empty one. */
function encodeLevels(data: LevelColumn, { from, to }: RowRange): readonly Leaf[] {
  const first = levelStart(data, from)
  const end = levelStart(data, to)
  let empty_count = 0
  for (let row = from; row < to; row++) {
    if (levelStart(data, row) === data.ends[row]) empty_count++
  }
  const value_count = end - first + empty_count
  const repetition = new Uint8Array(value_count).fill(1)
  const definition = new Uint8Array(value_count).fill(1)
  for (let row = from, at = 0; row < to; row++) {
    const length = data.ends[row]! - levelStart(data, row)
    repetition[at] = 0
    if (length === 0) definition[at] = 0
    at += Math.max(1, length)
  }
  const levels = joined(withLength(hybrid(repetition, 1)), withLength(hybrid(definition, 1)))
  return [data.price, data.qty].map((leaf) => {
    const values = leaf.slice(first, end)
    const bounds = boundsOf(values)
    return {
      type: 'DOUBLE',
      encoding: 'PLAIN',
      body: joined(levels, bytesOf(values)),
      dictionary: undefined,
      value_count,
      statistics: {
        null_count: BigInt(empty_count),
        ...(bounds === undefined ? {} : { min_value: bounds.min, max_value: bounds.max }),
      },
    }
  })
}

function withoutNulls(
  values: Float64Array,
  nulls: Uint8Array,
  from: number,
  to: number,
): Float64Array {
  const present = new Float64Array(to - from)
  let count = 0
  for (let row = from; row < to; row++) {
    if (nulls[row] === 0) present[count++] = values[row]!
  }
  return present.subarray(0, count)
}

/** 1 for each value that is not null. */
function definitionLevels(nulls: Uint8Array | undefined, from: number, to: number): Uint8Array {
  const levels = new Uint8Array(to - from).fill(1)
  if (nulls !== undefined) {
    for (let row = from; row < to; row++) levels[row - from] = 1 - nulls[row]!
  }
  return withLength(hybrid(levels, 1))
}

/** Bounds of values other than NaN. The format wants a zero as -0 in min and as +0 in max. */
function boundsOf(
  values: Float64Array | Float32Array,
): { readonly min: number; readonly max: number } | undefined {
  let min = Infinity
  let max = -Infinity
  for (let i = 0; i < values.length; i++) {
    const value = values[i]!
    if (value < min) min = value
    if (value > max) max = value
  }
  if (min > max) return undefined
  return { min: min === 0 ? -0 : min, max: max === 0 ? 0 : max }
}

function hybrid(values: Uint8Array, width: number): Uint8Array {
  const writer = new ByteWriter()
  writeRleBitPackedHybrid(writer, values, width)
  return writer.getBytes()
}

function withLength(bytes: Uint8Array): Uint8Array {
  const length = Buffer.alloc(4)
  length.writeUInt32LE(bytes.length)
  return joined(length, bytes)
}

function joined(...parts: readonly Uint8Array[]): Uint8Array {
  return Buffer.concat(parts)
}

/** The bytes in memory: little-endian, like Parquet's. */
function bytesOf(values: Float64Array | Float32Array | BigInt64Array): Uint8Array {
  return new Uint8Array(values.buffer, values.byteOffset, values.byteLength)
}
