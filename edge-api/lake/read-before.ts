/**
 * For each of some times, the newest row before it. Of each row group, one column at a time is in
 * memory, and of it only the wanted values are kept.
 */
import type { LakeBudget } from './budget.ts'
import { createLeafSource, type FileBytes } from './leaf-source.ts'
import { countBefore, readFlat, readTimes } from './read-group.ts'
import type { Value } from './read-leaf.ts'
import type { GroupPlan, WantedRows } from './row-group-plan.ts'

/** Values by column. */
export type PickedRow = Readonly<Record<string, Value>>

/**
 * A row for each time that has one in the range of `wanted`, by the time. The groups come oldest
 * first, the times in order; no column is a list. Throws LakeBudgetError.
 */
export async function readBefore(
  groups: readonly GroupPlan[],
  file: FileBytes,
  wanted: WantedRows,
  times: readonly number[],
  budget: LakeBudget,
): Promise<ReadonlyMap<number, PickedRow>> {
  const rows = new Map<number, PickedRow>()
  for (const { leaves, row_count } of groups) {
    for (const { start, end, chunk } of leaves) {
      budget.spend(end - start, Number(chunk.total_uncompressed_size))
    }
    const source = createLeafSource(leaves, file)
    const of_group = await readTimes(leaves, source, wanted, row_count)
    const first = countBefore(of_group, wanted.from)
    const picks = times.flatMap((time): [number, number][] => {
      const index = countBefore(of_group, Math.min(time, wanted.to)) - 1
      return index < first ? [] : [[time, index]]
    })
    if (picks.length > 0) {
      const columns: [string, ReadonlyMap<number, Value>][] = []
      const [from, to] = [picks[0]![1], picks.at(-1)![1] + 1]
      for (const leaf of leaves) {
        const values =
          leaf.column === wanted.time_column
            ? of_group.slice(from, to)
            : await readFlat(leaf, source, { from, to })
        columns.push([leaf.column, new Map(picks.map(([, row]) => [row, values[row - from]!]))])
      }
      for (const [time, row] of picks) {
        rows.set(time, Object.fromEntries(columns.map(([name, of]) => [name, of.get(row) ?? null])))
      }
    }
    source.close()
  }
  return rows
}
