/**
 * Decodes a data page of version 1 into typed arrays: the encodings that table-file.ts writes.
 * hyparquet's decoder makes a bigint of every whole number and a JavaScript array of every level,
 * which took most of the time of reading quotes.
 */
import type { Encoding, ParquetType } from 'hyparquet'
import { decodeDelta } from './delta.ts'

/** What the page's header and the schema say of the values. */
export interface PageShape {
  readonly type: ParquetType
  readonly encoding: Encoding
  /** Counts values, nulls and empty lists. */
  readonly value_count: number
  /** Whether the page has levels of this kind, of one bit each. */
  readonly has_repetition: boolean
  readonly has_definition: boolean
}

export interface PageData {
  /** Numbers for INT64 and DOUBLE, 0 or 1 for BOOLEAN, indexes of words for a dictionary. */
  readonly values: PageValues
  /** Undefined if every value is present. */
  readonly definition: Uint8Array | undefined
  /** Undefined if the leaf is not in a list. */
  readonly repetition: Uint8Array | undefined
}

export type PageValues = Float64Array | Uint8Array | readonly string[]

/** Throws if the page has another encoding or ends early. */
export function decodePage(page: Uint8Array, shape: PageShape): PageData {
  const { has_repetition, has_definition, value_count } = shape
  let at = 0
  const levels = (): Uint8Array => {
    const length = viewOf(page).getUint32(at, true)
    const from = at + 4
    at = from + length
    return decodeHybrid(page.subarray(from, at), 1, value_count)
  }
  const repetition = has_repetition ? levels() : undefined
  const definition = has_definition ? levels() : undefined
  const present_count = definition === undefined ? value_count : countOnes(definition)
  return {
    values: decodeValues(page.subarray(at), shape, present_count),
    definition: present_count === value_count ? undefined : definition,
    repetition,
  }
}

/** A page of words: the length and bytes of each. */
export function decodeWords(page: Uint8Array, count: number): readonly string[] {
  const view = viewOf(page)
  const words: string[] = []
  for (let at = 0; words.length < count;) {
    const from = at + 4
    at = from + view.getUint32(at, true)
    words.push(Buffer.from(page.subarray(from, at)).toString('utf8'))
  }
  return words
}

function decodeValues(bytes: Uint8Array, { type, encoding }: PageShape, count: number): PageValues {
  switch (`${type} ${encoding}`) {
    case 'DOUBLE PLAIN':
      return new Float64Array(copied(bytes, count * 8))
    case 'INT64 PLAIN':
      return doublesOf(new Int32Array(copied(bytes, count * 8)))
    case 'INT64 DELTA_BINARY_PACKED':
      return decodeDelta(bytes, count)
    case 'BOOLEAN PLAIN':
      return Uint8Array.from({ length: count }, (_, i) => (bytes[i >> 3]! >> (i & 7)) & 1)
    case 'BYTE_ARRAY PLAIN':
      return decodeWords(bytes, count)
    case 'BYTE_ARRAY RLE_DICTIONARY':
      return decodeHybrid(bytes.subarray(1), bytes[0]!, count)
    default:
      throw new Error(`a page has ${type} values in the encoding ${encoding}`)
  }
}

/** Parquet's hybrid of run lengths and bit packing, for values of at most eight bits. */
function decodeHybrid(bytes: Uint8Array, width: number, count: number): Uint8Array {
  const out = new Uint8Array(count)
  const mask = (1 << width) - 1
  const value_bytes = Math.ceil(width / 8)
  for (let at = 0, filled = 0; filled < count;) {
    if (at >= bytes.length) throw new Error('a page ends before its last value')
    let head = 0
    for (let shift = 0; ; shift += 7) {
      const byte = bytes[at++]!
      head |= (byte & 127) << shift
      if (byte < 128) break
    }
    if ((head & 1) === 0) {
      const end = Math.min(count, filled + (head >>> 1))
      out.fill(value_bytes === 0 ? 0 : bytes[at]!, filled, end)
      filled = end
      at += value_bytes
      continue
    }
    const end = Math.min(count, filled + (head >>> 1) * 8)
    let pending = 0
    let bits = 0
    let from = at
    for (; filled < end; filled++) {
      if (bits < width) {
        pending |= bytes[from++]! << bits
        bits += 8
      }
      out[filled] = pending & mask
      pending >>>= width
      bits -= width
    }
    at += (head >>> 1) * width
  }
  return out
}

/** From two 32-bit halves, the lower one first, which avoids bigints. */
function doublesOf(halves: Int32Array): Float64Array {
  const doubles = new Float64Array(halves.length / 2)
  for (let i = 0; i < doubles.length; i++) {
    doubles[i] = halves[2 * i + 1]! * 2 ** 32 + (halves[2 * i]! >>> 0)
  }
  return doubles
}

/** The first bytes in a buffer of their own, because typed arrays need an aligned start. */
function copied(bytes: Uint8Array, byte_count: number): ArrayBuffer {
  if (bytes.length < byte_count) throw new Error('a page ends before its last value')
  const own = new Uint8Array(byte_count)
  own.set(bytes.subarray(0, byte_count))
  return own.buffer
}

function countOnes(levels: Uint8Array): number {
  let count = 0
  for (let i = 0; i < levels.length; i++) count += levels[i]!
  return count
}

function viewOf(bytes: Uint8Array): DataView {
  return new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength)
}
