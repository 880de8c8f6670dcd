/** What is read from a file: row groups by their statistics, byte ranges with small gaps. */
import type { FileMetaData } from 'hyparquet'
import { describe, expect, test } from 'vitest'
import { micros } from '#core/time.ts'
import { createBudget, LakeBudgetError } from '../../edge-api/lake/budget.ts'
import { batchOf } from '../../edge-api/lake/byte-ranges.ts'
import { planRowGroups } from '../../edge-api/lake/row-group-plan.ts'

const MIB = 1 << 20

describe('byte range of one request', () => {
  for (const [name, ranges, expected] of [
    ['covers one range of any size', [[0, 9 * MIB]], [0, 9 * MIB]],
    [
      'includes adjacent ranges',
      [
        [0, 10],
        [10, 20],
      ],
      [0, 20],
    ],
    [
      'includes a gap of half a MiB, which costs less than a request',
      [
        [0, 10],
        [MIB / 2 + 10, MIB],
      ],
      [0, MIB],
    ],
    [
      'excludes a range after a larger gap',
      [
        [0, 10],
        [MIB / 2 + 11, MIB],
      ],
      [0, 10],
    ],
    [
      'excludes an earlier range',
      [
        [100, 110],
        [0, 10],
      ],
      [100, 110],
    ],
    [
      'ends at the batch size',
      [
        [0, 3 * MIB],
        [3 * MIB, 4 * MIB],
        [4 * MIB, 5 * MIB],
      ],
      [0, 4 * MIB],
    ],
  ] as const) {
    test(name, () => {
      const { start, end } = batchOf(ranges.map(([from, to]) => ({ start: from, end: to })))
      expect([start, end]).toEqual(expected)
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
  // The fields that the plan reads, and no others.
  return {
    schema: ['root', 'ts', 'symbol', 'price'].map((name) => ({ name })),
    row_groups: groups.map(([symbol, first, last, row_count], i) => ({
      num_rows: BigInt(row_count),
      columns: [
        chunk('ts', i * 30, first, last),
        chunk('symbol', i * 30 + 10, symbol, symbol),
        chunk('price', i * 30 + 20, 1, 2),
      ],
    })),
    // The plan looks at these fields only.
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
    ['only those of the symbol', 0, 1_000, 1_000, [1, 2, 3]],
    ['that overlap the range: from is inclusive, to is exclusive', 200, 201, 1_000, [2]],
    ['both groups of a timestamp that was split', 100, 101, 1_000, [1, 2]],
    ['none outside the data', 301, 400, 1_000, []],
    ['no more than needed', 0, 1_000, 50, [1, 2]],
    // The first group may have only rows before the range.
    ['one more if the first may have no wanted row', 50, 1_000, 1, [1, 2]],
  ] as const) {
    test(name, () => {
      const groups = planRowGroups(FILE, {
        where: { symbol: 'B' },
        time_column: 'ts',
        from: micros(from),
        to: micros(to),
        columns: ['ts', 'price'],
        row_count,
        list_number_count: Infinity,
      })
      expect(
        groups.map(({ leaves }) => leaves.map(({ column, start }) => [column, start])),
      ).toEqual(
        expected.map((group) => [
          ['ts', group * 30],
          ['price', group * 30 + 20],
        ]),
      )
    })
  }

  test('a file without statistics is archive_damaged', () => {
    const wanted = {
      time_column: 'ts',
      from: micros(0),
      to: micros(9),
      columns: [],
      row_count: 1,
      list_number_count: 1,
    }
    expect(() => planRowGroups(FILE, { ...wanted, where: { exchange: 'x' } })).toThrow(/exchange/)
  })
})

test('a budget counts files, their parts, bytes and decompressed bytes', () => {
  const limits = {
    file_count_max: 2,
    chunk_count_max: 3,
    byte_count_max: 100,
    unpacked_byte_count_max: 50,
  }
  const budget = createBudget(limits)
  budget.openFile()
  budget.openFile()
  expect(() => budget.openFile()).toThrow(LakeBudgetError)
  budget.spend(60, 30)
  budget.spend(40, 20)
  expect(() => budget.spend(1, 0)).toThrow(LakeBudgetError)
  expect(() => createBudget(limits).spend(0, 51)).toThrow(LakeBudgetError)
  const of_parts = createBudget(limits)
  for (let part = 0; part < 3; part++) of_parts.spend(1, 1)
  expect(() => of_parts.spend(1, 1)).toThrow(LakeBudgetError)
})
