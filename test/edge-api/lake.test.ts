/** What is asked of a file: row groups by their statistics, byte ranges with little between them. */
import type { FileMetaData } from 'hyparquet'
import { describe, expect, test } from 'vitest'
import { micros } from '#core/time.ts'
import { createBudget, LakeBudgetError } from '../../edge-api/lake/budget.ts'
import { coalesce } from '../../edge-api/lake/byte-ranges.ts'
import { planRowGroups } from '../../edge-api/lake/plan.ts'

const MIB = 1 << 20
const pairs = (ranges: readonly { start: number; end: number }[]) =>
  ranges.map(({ start, end }) => [start, end])

describe('byte ranges', () => {
  for (const [name, ranges, count_max, expected] of [
    [
      'neighbours are one',
      [
        [0, 10],
        [10, 20],
      ],
      3,
      [[0, 20]],
    ],
    [
      'in any order, overlaps included',
      [
        [15, 30],
        [0, 20],
      ],
      3,
      [[0, 30]],
    ],
    [
      'a small gap is read over',
      [
        [0, 10],
        [65_546, 65_556],
      ],
      3,
      [[0, 65_556]],
    ],
    [
      'a large one is not',
      [
        [0, 10],
        [65_547, 65_557],
      ],
      3,
      [
        [0, 10],
        [65_547, 65_557],
      ],
    ],
    [
      'too many: the smallest gap is closed first',
      [
        [0, 1],
        [5 * MIB, 6 * MIB],
        [8 * MIB, 9 * MIB],
        [20 * MIB, 21 * MIB],
      ],
      3,
      [
        [0, 1],
        [5 * MIB, 9 * MIB],
        [20 * MIB, 21 * MIB],
      ],
    ],
    [
      'all into one',
      [
        [0, 1],
        [5 * MIB, 6 * MIB],
        [8 * MIB, 9 * MIB],
      ],
      1,
      [[0, 9 * MIB]],
    ],
    ['none', [], 3, []],
  ] as const) {
    test(name, () => {
      const given = ranges.map(([start, end]) => ({ start, end }))
      expect(pairs(coalesce(given, count_max))).toEqual(expected)
    })
  }
})

/** [symbol, first time, last time, rows] : one row group each, of a time and a price column. */
function fileOf(groups: readonly (readonly [string, number, number, number])[]): FileMetaData {
  const chunk = (name: string, offset: number, min: unknown, max: unknown) => ({
    meta_data: {
      path_in_schema: [name],
      data_page_offset: BigInt(offset),
      total_compressed_size: 10n,
      total_uncompressed_size: 100n,
      statistics: { min_value: min, max_value: max },
    },
  })
  return {
    row_groups: groups.map(([symbol, first, last, row_count], i) => ({
      num_rows: BigInt(row_count),
      columns: [
        chunk('ts', i * 30, first, last),
        chunk('symbol', i * 30 + 10, symbol, symbol),
        chunk('price', i * 30 + 20, 1, 2),
      ],
    })),
  } as unknown as FileMetaData
}

const FILE = fileOf([
  ['A', 0, 100, 50],
  ['B', 0, 100, 50],
  ['B', 100, 200, 50],
  ['B', 201, 300, 50],
  ['C', 0, 300, 50],
])

describe('row groups', () => {
  for (const [name, from, to, row_count, expected] of [
    ['of the symbol alone', 0, 1_000, 1_000, [1, 2, 3]],
    ['that touch the range: from is in it, to is not', 200, 201, 1_000, [2]],
    ['both sides of a moment that was split', 100, 101, 1_000, [1, 2]],
    ['none', 301, 400, 1_000, []],
    ['no more than are needed', 0, 1_000, 50, [1, 2]],
    // The first group may hold rows before the range only: it does not count.
    ['of which the first may not count', 50, 1_000, 1, [1, 2]],
  ] as const) {
    test(name, () => {
      const { groups, ranges, unpacked_byte_count } = planRowGroups(FILE, {
        where: { symbol: 'B' },
        time_column: 'ts',
        from: micros(from),
        to: micros(to),
        columns: ['ts', 'price'],
        row_count,
      })
      expect(groups.map((group) => FILE.row_groups.indexOf(group))).toEqual(expected)
      expect(ranges).toHaveLength(expected.length * 2)
      expect(unpacked_byte_count).toBe(expected.length * 100)
    })
  }

  test('a file that does not say what its groups hold is damaged', () => {
    const wanted = { time_column: 'ts', from: micros(0), to: micros(9), columns: [], row_count: 1 }
    expect(() => planRowGroups(FILE, { ...wanted, where: { exchange: 'x' } })).toThrow(/exchange/)
  })
})

test('a budget is spent by files, by bytes, and by what one column unpacks to', () => {
  const limits = { file_count_max: 2, byte_count_max: 100, unpacked_byte_count_max: 50 }
  const budget = createBudget(limits)
  budget.openFile()
  budget.openFile()
  expect(() => budget.openFile()).toThrow(LakeBudgetError)
  budget.spend(60, 50)
  budget.spend(40, 50)
  expect(() => budget.spend(1, 0)).toThrow(LakeBudgetError)
  expect(() => createBudget(limits).spend(0, 51)).toThrow(LakeBudgetError)
})
