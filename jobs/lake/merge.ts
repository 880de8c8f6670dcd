/**
 * Keeps the list of a table's manifests short. Manifests have sizes: up to 7 files, up to 63, up to
 * 511, and full ones. Eight of one size become one of the next size, so a file's entry is written
 * at most four times, and a table has at most 21 manifests besides the full ones. More entries than
 * a full manifest has are cut, so that a new version of one file rewrites no more than that.
 */
const WIDTH = 8
/** A manifest with as many files is not merged any more, and none is written with more. */
export const FULL_FILES = WIDTH ** 3

/** The positions of manifests to merge into one, oldest first; undefined: nothing to merge. */
export function manifestsToMerge(file_counts: readonly number[]): readonly number[] | undefined {
  const by_size = Map.groupBy(
    [...file_counts.keys()].filter((i) => file_counts[i]! < FULL_FILES),
    (i) => Math.floor(Math.log2(Math.max(1, file_counts[i]!)) / Math.log2(WIDTH)),
  )
  const sizes = [...by_size.keys()].toSorted((a, b) => a - b)
  const size = sizes.find((one) => by_size.get(one)!.length >= WIDTH)
  return size === undefined ? undefined : by_size.get(size)!.slice(0, WIDTH)
}
