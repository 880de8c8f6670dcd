/** A symbol's day computed and encoded: all the work that can be done beside the other symbols. */
import { FEATURE_SETS, type FeatureSet } from '#core/features.ts'
import { encodeRowGroup, type RowGroupBytes } from '../datasets/row-group.ts'
import type { SymbolRows } from '../datasets/rows.ts'
import type { DayReader } from '../source/source.ts'
import type { Columns } from './columns.ts'
import { gridTimes } from './grid.ts'
import { buildSymbolDay, type SymbolDay, type SymbolTask } from './symbol-day.ts'

/** One symbol's rows of a dataset. */
export interface MadeRows {
  readonly rows: SymbolRows
  readonly group: RowGroupBytes
}

/** Goes from thread to thread as it is. */
export interface MadeDay extends Omit<SymbolDay, 'columns' | 'labels'> {
  readonly features: MadeRows
  /** With features_1s only. */
  readonly labels: MadeRows | undefined
}

export async function makeSymbolDay(
  reader: DayReader,
  task: SymbolTask,
  signal: AbortSignal,
): Promise<MadeDay> {
  const { columns, labels, ...rest } = await buildSymbolDay(reader, task, signal)
  const made = (set: FeatureSet, values: Columns<string>): MadeRows => {
    const { exchange, symbol, grid } = rest
    const wanted = set.columns.flatMap(({ name }) => {
      const column = values[name]
      return column === undefined ? [] : [[name, column] as const]
    })
    const rows = { exchange, symbol, ts: gridTimes(grid), columns: Object.fromEntries(wanted) }
    return { rows, group: encodeRowGroup(set.columns, rows) }
  }
  return {
    ...rest,
    features: made(FEATURE_SETS[task.made], columns),
    labels: labels === undefined ? undefined : made(FEATURE_SETS.labels_1s, labels),
  }
}

/** What moves to the other thread, rather than being copied. */
export function buffersOf({ features, labels }: MadeDay): ArrayBuffer[] {
  const made = labels === undefined ? [features] : [features, labels]
  const arrays = made.flatMap(({ rows, group }) => [
    group.bytes,
    rows.ts,
    ...Object.values(rows.columns),
  ])
  return [...new Set(arrays.map((array) => array.buffer as ArrayBuffer))]
}
