/**
 * Reads rows from planned row groups. The time column decides which rows are wanted; only these are
 * decoded from the other columns. The levels of a row are one array of numbers, never objects.
 */
import { release } from '../memory/release.ts'
import type { LakeBudget } from './budget.ts'
import { pagesOf } from './leaf-pages.ts'
import { createLeafSource, type FileBytes, type LeafSource } from './leaf-source.ts'
import { readLists, readValues, type ListValues, type ListWindow, type Value } from './read-leaf.ts'
import type { GroupPlan, Having, PlacedLeaf, WantedRows } from './row-group-plan.ts'

/** Columns of the wanted rows in the order of the file. */
export interface LakeRows {
  readonly row_count: number
  /** A list is one array: price and quantity of the first element, of the second, … */
  readonly columns: ReadonlyMap<string, readonly (Value | Float64Array)[]>
}

type Columns = Map<string, (Value | Float64Array)[]>

export async function readGroups(
  groups: readonly GroupPlan[],
  source: LeafSource,
  wanted: WantedRows,
): Promise<LakeRows> {
  const columns: Columns = new Map()
  let row_count = 0
  let left = { rows: wanted.row_count, numbers: wanted.list_number_count }
  for (const { leaves, row_count: of_group } of groups) {
    if (left.rows <= 0 || left.numbers <= 0) break
    const times = await readTimes(leaves, source, wanted, of_group)
    const from = countBefore(times, wanted.from)
    // Rows at exactly `from` do not count: a cursor may exclude all of them.
    const counted_from = countBefore(times, wanted.from + 1)
    const to = Math.min(countBefore(times, wanted.to), counted_from + left.rows)
    const window = { from, to, counted_from, value_count_max: left.numbers / 2 }
    const found = await readColumns(leaves, source, wanted, times, window)
    for (const [name, values] of found.columns) {
      const so_far = columns.get(name)
      if (so_far === undefined) columns.set(name, [...values])
      else for (const value of values) so_far.push(value)
    }
    row_count += found.row_count
    const counted = found.row_count - (counted_from - from)
    left = {
      rows: left.rows - Math.max(0, counted),
      numbers: left.numbers - numbersBeforeLast(found, counted_from - from),
    }
  }
  source.close()
  return { row_count, columns }
}

/** The newest row of the range that matches `having`. The groups come newest first. */
export async function findNewest(
  groups: readonly GroupPlan[],
  file: FileBytes,
  wanted: WantedRows,
  having: Having | undefined,
  budget: LakeBudget,
): Promise<LakeRows> {
  for (const { leaves, row_count } of groups) {
    for (const leaf of leaves) {
      budget.spend(leaf.end - leaf.start, Number(leaf.chunk.total_uncompressed_size))
    }
    // Find the row first and read it second, because levels are most of the bytes.
    const telling = leaves.filter((leaf) => [wanted.time_column, having?.[0]].includes(leaf.column))
    const source = createLeafSource(telling, file)
    const times = await readTimes(telling, source, wanted, row_count)
    const from = countBefore(times, wanted.from)
    const to = countBefore(times, wanted.to)
    const all = { from, to, counted_from: from, value_count_max: Infinity }
    const { columns } = await readColumns(telling, source, wanted, times, all)
    source.close()
    const row = having === undefined ? to - 1 : from + lastWith(columns, having)
    if (row < from) continue
    const window = { from: row, to: row + 1, counted_from: row, value_count_max: Infinity }
    const whole = createLeafSource(leaves, file)
    const found = await readColumns(leaves, whole, wanted, times, window)
    whole.close()
    return found
  }
  return { row_count: 0, columns: new Map() }
}

/** Index of the last row that matches; -1 if none does. */
function lastWith(columns: LakeRows['columns'], [name, value]: Having): number {
  return Array.from(columns.get(name)!).lastIndexOf(value)
}

export async function readTimes(
  leaves: readonly PlacedLeaf[],
  source: LeafSource,
  { time_column }: WantedRows,
  row_count: number,
): Promise<readonly number[]> {
  const leaf = leaves.find(({ column }) => column === time_column)
  if (leaf === undefined) throw new RangeError(`The file has no column ${time_column}.`)
  return (await readFlat(leaf, source, { from: 0, to: row_count })) as readonly number[]
}

async function readColumns(
  leaves: readonly PlacedLeaf[],
  source: LeafSource,
  { time_column, columns }: WantedRows,
  times: readonly number[],
  window: ListWindow,
): Promise<LakeRows> {
  const { from, to } = window
  const found: Columns = new Map()
  if (columns.includes(time_column)) found.set(time_column, times.slice(from, to))
  let row_count = Math.max(0, to - from)
  for (let i = 0; i < leaves.length; i++) {
    const leaf = leaves[i]!
    if (leaf.column === time_column) continue
    if (leaf.elements.length === 1) {
      found.set(leaf.column, [...(await readFlat(leaf, source, window))])
      continue
    }
    // A list has two adjacent leaves: price and quantity.
    const price = await readList(leaf, source, window)
    const qty = await readList(leaves[++i]!, source, window)
    const rows = pairs(price, qty)
    release(price.values)
    release(qty.values)
    row_count = Math.min(row_count, rows.length)
    found.set(leaf.column, rows)
  }
  for (const values of found.values()) values.length = row_count
  return { row_count, columns: found }
}

export async function readFlat(
  leaf: PlacedLeaf,
  source: LeafSource,
  window: { readonly from: number; readonly to: number },
): Promise<readonly Value[]> {
  const feed = await source.feedOf(leaf)
  try {
    return await readValues(pagesOf(leaf, feed), window)
  } finally {
    await feed.close()
  }
}

async function readList(
  leaf: PlacedLeaf,
  source: LeafSource,
  window: ListWindow,
): Promise<ListValues> {
  const feed = await source.feedOf(leaf)
  try {
    return await readLists(pagesOf(leaf, feed), window)
  } finally {
    await feed.close()
  }
}

function pairs({ ends, values: prices }: ListValues, { values: qtys }: ListValues): Float64Array[] {
  const both = new Float64Array(2 * prices.length)
  for (let i = 0; i < prices.length; i++) {
    both[2 * i] = prices[i]!
    both[2 * i + 1] = qtys[i]!
  }
  return ends.map((end, row) => both.subarray(row === 0 ? 0 : 2 * ends[row - 1]!, 2 * end))
}

/** Numbers in the lists of the rows that count, except the last row. */
function numbersBeforeLast({ row_count, columns }: LakeRows, first: number): number {
  let sum = 0
  for (const values of columns.values()) {
    for (let row = first; row < row_count - 1; row++) {
      const value = values[row]
      if (value instanceof Float64Array) sum += value.length
    }
  }
  return sum
}

/** Number of times before `ts`. The times are in order. */
export function countBefore(times: readonly number[], ts: number): number {
  let [low, high] = [0, times.length]
  while (low < high) {
    const middle = (low + high) >> 1
    if (times[middle]! < ts) low = middle + 1
    else high = middle
  }
  return low
}
