/** Reads the values of some rows of a row group, and decodes only these. */
import { release } from '../memory/release.ts'
import type { LeafPage, Values } from './leaf-pages.ts'

/** Rows [from, to) of a row group. */
export interface RowWindow {
  readonly from: number
  readonly to: number
}

export type Value = number | string | boolean | null

/** Values of a leaf outside of lists. */
export async function readValues(
  pages: AsyncIterable<LeafPage>,
  { from, to }: RowWindow,
): Promise<readonly Value[]> {
  const values: Value[] = []
  let row = 0
  if (from >= to) return values
  for await (const page of pages) {
    const begin = row
    row += page.value_count
    if (row <= from) continue
    const { definition, values: take } = await page.open()
    let skipped = 0
    for (let i = begin; i < from; i++) skipped += definition?.next() ?? 1
    const end = Math.min(row, to)
    const is_there: boolean[] = []
    let count = 0
    for (let i = Math.max(begin, from); i < end; i++) {
      const bit = definition?.next() ?? 1
      is_there.push(bit === 1)
      count += bit
    }
    const found = await take(skipped, count)
    let at = 0
    for (const present of is_there) values.push(present ? found[at++]! : null)
    if (found instanceof Float64Array) release(found)
    if (row >= to) break
  }
  return values
}

export interface ListWindow extends RowWindow {
  /** Rows from here on count towards `value_count_max`. */
  readonly counted_from: number
  /** A row is omitted if the counted rows before the previous one have this many values. */
  readonly value_count_max: number
}

/** One field of list elements, with the values of all rows concatenated. */
export interface ListValues {
  /** For each row, the number of values up to and including it. */
  readonly ends: readonly number[]
  readonly values: Float64Array
}

export async function readLists(
  pages: AsyncIterable<LeafPage>,
  window: ListWindow,
): Promise<ListValues> {
  const { from, to } = window
  const walk = { row: -1, ends: [] as number[], end: 0, is_over: from >= to }
  const parts: Float64Array[] = []
  if (walk.is_over) return { ends: [], values: new Float64Array(0) }
  for await (const page of pages) {
    const { repetition, definition, values } = await page.open()
    let [skipped, count] = [0, 0]
    for (let i = 0; i < page.value_count; i++) {
      if (repetition?.next() !== 1) {
        walk.is_over = walk.row + 1 >= to || isFull(walk.ends, walk.row, window)
        if (walk.is_over) break
        walk.row += 1
        if (walk.row >= from) walk.ends.push(walk.end)
      }
      if ((definition?.next() ?? 1) === 0) continue
      if (walk.row < from) {
        skipped += 1
        continue
      }
      count += 1
      walk.end += 1
      walk.ends[walk.ends.length - 1] = walk.end
    }
    if (count > 0) parts.push(doubles(await values(skipped, count)))
    if (walk.is_over) break
  }
  return { ends: walk.ends, values: joined(parts, walk.end) }
}

/** Whether the counted rows before the last one have reached `value_count_max`. */
function isFull(ends: readonly number[], row: number, window: ListWindow): boolean {
  const { from, counted_from, value_count_max } = window
  const before = Math.max(0, counted_from - from)
  if (row < from || ends.length < before + 2) return false
  return ends.at(-2)! - (before === 0 ? 0 : ends[before - 1]!) >= value_count_max
}

function doubles(values: Values): Float64Array {
  return values instanceof Float64Array ? values : Float64Array.from(values as readonly number[])
}

function joined(parts: readonly Float64Array[], length: number): Float64Array {
  if (parts.length === 1) return parts[0]!
  const values = new Float64Array(length)
  let at = 0
  for (const part of parts) {
    values.set(part, at)
    at += part.length
    release(part)
  }
  return values
}
