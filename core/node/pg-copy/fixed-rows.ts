/**
 * Decodes binary COPY with fixed-width columns and no nulls. All rows then have the same size, and
 * callers read them in place. Any other input is an error.
 */
import { COPY_HEADER, COPY_SIGNATURE } from './format.ts'

/** Bytes of each column's value, in the order of the select list. */
export type Widths = readonly (1 | 8)[]

export interface CopyRows {
  /** Whole rows, one after another; the first begins at byte 0. */
  readonly view: DataView
  readonly row_count: number
  readonly row_bytes: number
  /** Offset of each column's value within a row. */
  readonly offsets: readonly number[]
}

/** Batches of at most `rows_max` rows. A batch's bytes are valid until the next batch. */
export async function* copyRows(
  stream: AsyncIterable<Buffer>,
  widths: Widths,
  rows_max: number,
): AsyncGenerator<CopyRows> {
  const offsets: number[] = []
  let row_bytes = 2
  for (const width of widths) {
    offsets.push(row_bytes + 4)
    row_bytes += 4 + width
  }
  const buffer = Buffer.allocUnsafe(row_bytes * rows_max)
  const batch = (bytes: number): CopyRows => {
    const view = new DataView(buffer.buffer, buffer.byteOffset, bytes)
    const rows = { view, row_count: bytes / row_bytes, row_bytes, offsets }
    checkRows(rows, widths)
    return rows
  }
  let filled = 0
  let header = Buffer.alloc(0)
  for await (const piece of stream) {
    let chunk = piece
    if (header.length < COPY_HEADER.length) {
      const missing = COPY_HEADER.length - header.length
      header = Buffer.concat([header, chunk.subarray(0, missing)])
      chunk = chunk.subarray(missing)
    }
    while (chunk.length > 0) {
      const taken = chunk.copy(buffer, filled)
      chunk = chunk.subarray(taken)
      filled += taken
      if (filled === buffer.length) {
        yield batch(filled)
        filled = 0
      }
    }
  }
  if (!header.subarray(0, COPY_SIGNATURE.length).equals(COPY_SIGNATURE)) {
    throw new Error('The stream is not binary COPY.')
  }
  // The stream ends with a field count of -1 in place of the next row.
  const rest = filled % row_bytes
  if (rest !== 2 || buffer.readInt16BE(filled - 2) !== -1) {
    throw new Error(`Binary COPY ended in the middle of a row, ${rest} bytes into it.`)
  }
  if (filled > 2) yield batch(filled - 2)
}

/** Checks the first and last row: a null or a wider column would shift every later byte. */
function checkRows(rows: CopyRows, widths: Widths): void {
  for (const row of [0, rows.row_count - 1]) {
    const at = row * rows.row_bytes
    const is_right =
      rows.view.getInt16(at) === widths.length &&
      widths.every((width, i) => rows.view.getInt32(at + rows.offsets[i]! - 4) === width)
    if (!is_right) throw new Error('Binary COPY: a row does not match the select list.')
  }
}
