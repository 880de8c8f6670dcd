/**
 * Arrays as parameters in Postgres' binary format. The driver sends a Buffer as it is; other values
 * become text, which takes both sides several times as long.
 */
import { putInteger, putMicros, putNull } from '#core/node/pg-copy/cells.ts'
import { ARRAY_HEAD_BYTES, DIMENSION_BYTES, NUMBER_BYTES } from '#core/node/pg-copy/format.ts'
import type { Micros } from '#core/time.ts'

const INT8_OID = 20
const TIMESTAMPTZ_OID = 1184

/** A bigint[]. Safe integers are exact. */
export function bigints(values: readonly (number | null)[]): Buffer {
  return encode(INT8_OID, values, putInteger)
}

/** A timestamptz[]. */
export function timestamps(values: readonly (Micros | null)[]): Buffer {
  return encode(TIMESTAMPTZ_OID, values, putMicros)
}

function encode<T>(
  element_oid: number,
  values: readonly (T | null)[],
  put: (view: DataView, at: number, value: T) => number,
): Buffer {
  const head_bytes = ARRAY_HEAD_BYTES + DIMENSION_BYTES
  const bytes = Buffer.allocUnsafe(head_bytes + values.length * NUMBER_BYTES)
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
