/** Row groups are cut by rows, and by levels. */
import { expect, test } from 'vitest'
import type { LevelColumn, SymbolRows } from '../../../jobs/columns/columns.ts'
import { GROUP_LIMITS, groupRanges } from '../../../jobs/parquet/row-groups.ts'

/** A side of the book with this many levels in each row. */
function side(...level_counts: readonly number[]): LevelColumn {
  let end = 0
  const ends = Uint32Array.from(level_counts, (count) => (end += count))
  return { kind: 'levels', ends, price: new Float64Array(end), qty: new Float64Array(end) }
}

const limits = { row_count_max: 4, level_count_max: 10 }

for (const [name, rows, expected] of [
  ['no rows, no group', { row_count: 0, columns: [] }, []],
  [
    'rows without levels in equal groups',
    { row_count: 9, columns: [] },
    [
      [0, 3],
      [3, 6],
      [6, 9],
    ],
  ],
  [
    'levels of both sides count',
    { row_count: 3, columns: [side(3, 3, 3), side(2, 2, 2)] },
    [
      [0, 2],
      [2, 3],
    ],
  ],
  ['exactly the limit', { row_count: 2, columns: [side(6, 4)] }, [[0, 2]]],
  [
    'a snapshot larger than a group gets its own group',
    { row_count: 3, columns: [side(1, 50, 1)] },
    [
      [0, 1],
      [1, 2],
      [2, 3],
    ],
  ],
  ['empty sides', { row_count: 4, columns: [side(0, 0, 0, 0)] }, [[0, 4]]],
] as const satisfies readonly (readonly [string, SymbolRows, readonly (readonly number[])[]])[]) {
  test(name, () => {
    expect(groupRanges(rows, limits).map(({ from, to }) => [from, to])).toEqual(expected)
  })
}

test('an hour of a busy book is cut into groups that a worker can decompress', () => {
  const busy = side(...Array.from({ length: 5_000 }, () => 200))
  const groups = groupRanges({ row_count: 5_000, columns: [busy, busy] })
  expect(groups.length).toBe(8)
  for (const { from, to } of groups) {
    expect((to - from) * 400).toBeLessThanOrEqual(GROUP_LIMITS.level_count_max)
  }
})
