/** Which bytes to ask for: few requests, little between them that nobody needs. */

/** Bytes [start, end) of a file. */
export interface ByteRange {
  readonly start: number
  readonly end: number
}

/**
 * Ranges closer than this are one: a request costs more than such a gap. hyparquet itself reads
 * over gaps of 8 KiB.
 */
const GAP_BYTES = 64 << 10

/** At most `count_max` ranges that cover all of these, the smallest gaps closed first. */
export function coalesce(ranges: readonly ByteRange[], count_max: number): readonly ByteRange[] {
  const merged: ByteRange[] = []
  for (const range of ranges.toSorted((a, b) => a.start - b.start)) {
    const last = merged.at(-1)
    if (last !== undefined && range.start - last.end <= GAP_BYTES) {
      merged[merged.length - 1] = { start: last.start, end: Math.max(last.end, range.end) }
    } else merged.push(range)
  }
  while (merged.length > count_max) {
    const gaps = merged.slice(1).map((range, i) => range.start - merged[i]!.end)
    const at = gaps.indexOf(Math.min(...gaps))
    merged.splice(at, 2, { start: merged[at]!.start, end: merged[at + 1]!.end })
  }
  return merged
}
