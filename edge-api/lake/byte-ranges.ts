/** Which bytes to ask for: few requests, little at once, little between them that nobody needs. */

/** Bytes [start, end) of a file. */
export interface ByteRange {
  readonly start: number
  readonly end: number
}

/** Ranges closer than this are asked for together: a request costs more than such a gap. */
const GAP_BYTES_MAX = 512 << 10
/** What one request asks for, unless a single range has more. It is held until the next one. */
export const BATCH_BYTES = 4 << 20

/** What to ask for to have the first of the ranges, and as many behind it as go along. */
export function batchOf(ranges: readonly ByteRange[]): ByteRange {
  const { start } = ranges[0]!
  let { end } = ranges[0]!
  for (const range of ranges.slice(1)) {
    const is_near = range.start >= start && range.start - end <= GAP_BYTES_MAX
    if (!is_near || range.end - start > BATCH_BYTES) break
    end = Math.max(end, range.end)
  }
  return { start, end }
}
