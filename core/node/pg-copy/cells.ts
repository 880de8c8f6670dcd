/**
 * Writes and reads single cells of binary COPY at a byte offset. Every `put` returns the end of its
 * cell; the caller has reserved the space. Integers are exact: 64 bits from safe integers.
 */
import { type Micros, micros } from '#core/time.ts'
import {
  ARRAY_HEAD_BYTES,
  DIMENSION_BYTES,
  LENGTH_BYTES,
  NUMBER_BYTES,
  POSTGRES_EPOCH_US,
} from './format.ts'

const TWO_32 = 2 ** 32
const FLOAT8_OID = 701

/** An int8, or any type with the same eight bytes. */
export function putInteger(view: DataView, at: number, value: number): number {
  const high = Math.floor(value / TWO_32)
  view.setInt32(at, 8)
  view.setInt32(at + LENGTH_BYTES, high)
  view.setUint32(at + LENGTH_BYTES + 4, value - high * TWO_32)
  return at + NUMBER_BYTES
}

/** A timestamptz, from microseconds since 1970. */
export function putMicros(view: DataView, at: number, value: number): number {
  return putInteger(view, at, value - POSTGRES_EPOCH_US)
}

export function putFloat(view: DataView, at: number, value: number): number {
  view.setInt32(at, 8)
  view.setFloat64(at + LENGTH_BYTES, value)
  return at + NUMBER_BYTES
}

export function putNull(view: DataView, at: number): number {
  view.setInt32(at, -1)
  return at + LENGTH_BYTES
}

/**
 * The head of a float8[][] of pairs, including the cell's length. Without pairs the array has no
 * dimensions. The elements follow, each written by `putFloat`.
 */
export function putPairsHead(view: DataView, at: number, pair_count: number): number {
  const dimension_count = pair_count === 0 ? 0 : 2
  const head_bytes = ARRAY_HEAD_BYTES + dimension_count * DIMENSION_BYTES
  view.setInt32(at, head_bytes + pair_count * 2 * NUMBER_BYTES)
  view.setInt32(at + 4, dimension_count)
  view.setInt32(at + 8, 0)
  view.setInt32(at + 12, FLOAT8_OID)
  if (dimension_count > 0) {
    view.setInt32(at + 16, pair_count)
    view.setInt32(at + 20, 1)
    view.setInt32(at + 24, 2)
    view.setInt32(at + 28, 1)
  }
  return at + LENGTH_BYTES + head_bytes
}

/** An int8 (SQL bigint). `at` is its first byte, after the length. */
export function readInt8(view: DataView, at: number): number {
  return view.getInt32(at) * TWO_32 + view.getUint32(at + 4)
}

/** A timestamptz as microseconds since 1970. `at` is its first byte, after the length. */
export function readMicros(view: DataView, at: number): Micros {
  return micros(readInt8(view, at) + POSTGRES_EPOCH_US)
}
