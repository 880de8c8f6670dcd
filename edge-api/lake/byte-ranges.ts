/** Groups byte ranges into requests: few requests, small batches, few unneeded bytes. */

/** Bytes [start, end) of a file. */
export interface ByteRange {
  readonly start: number
  readonly end: number
}

/** Ranges closer than this share a request: a second request would cost more than these bytes. */
const GAP_BYTES_MAX = 512 << 10
/** Maximum bytes per request, unless a single range is larger. Held until the next request. */
export const BATCH_BYTES = 4 << 20

/** One request that covers the first range, and as many of the following ranges as fit. */
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
