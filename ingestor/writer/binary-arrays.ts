/**
 * Arrays as parameters in Postgres' binary format. The driver sends a Buffer as it is; other values
 * become text, which takes both sides several times as long.
 */
import { putInteger, putMicros, putNull } from '#core/node/pg-copy/cells.ts'
import {
  ARRAY_HEAD_BYTES,
  DIMENSION_BYTES,
  LENGTH_BYTES,
  NUMBER_BYTES,
} from '#core/node/pg-copy/format.ts'
import type { Micros } from '#core/time.ts'

const INT8_OID = 20
const TEXT_OID = 25
const TIMESTAMPTZ_OID = 1184

/** A bigint[]. Safe integers are exact. */
export function bigints(values: readonly (number | null)[]): Buffer {
  return encode(INT8_OID, values, NUMBER_BYTES, putInteger)
}

/** A timestamptz[]. */
export function timestamps(values: readonly (Micros | null)[]): Buffer {
  return encode(TIMESTAMPTZ_OID, values, NUMBER_BYTES, putMicros)
}

/** A text[]. The texts are ASCII. */
export function texts(values: readonly (string | null)[]): Buffer {
  const longest = values.reduce((most, value) => Math.max(most, value?.length ?? 0), 0)
  return encode(TEXT_OID, values, LENGTH_BYTES + longest, putText)
}

function putText(view: DataView, at: number, value: string): number {
  view.setInt32(at, value.length)
  const start = at + LENGTH_BYTES
  for (let index = 0; index < value.length; index++) {
    view.setUint8(start + index, value.charCodeAt(index))
  }
  return start + value.length
}

function encode<T>(
  element_oid: number,
  values: readonly (T | null)[],
  cell_bytes_max: number,
  put: (view: DataView, at: number, value: T) => number,
): Buffer {
  const head_bytes = ARRAY_HEAD_BYTES + DIMENSION_BYTES
  const bytes = Buffer.allocUnsafe(head_bytes + values.length * cell_bytes_max)
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength)
  const dimension_count = 1
  const may_have_nulls = 1
  const first_index = 1
  view.setInt32(0, dimension_count)
  view.setInt32(4, may_have_nulls)
  view.setInt32(8, element_oid)
  view.setInt32(12, values.length)
  view.setInt32(16, first_index)
  let end = head_bytes
  for (const value of values) end = value === null ? putNull(view, end) : put(view, end, value)
  return bytes.subarray(0, end)
}
