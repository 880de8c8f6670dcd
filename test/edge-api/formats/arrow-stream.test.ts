/** Our Arrow streams, read by three readers that share no code with us or with each other. */
import { tableFromIPC } from 'apache-arrow'
import { describe, expect, test } from 'vitest'
import { arrowStream } from '../../../edge-api/formats/arrow-stream.ts'
import { candle_columns } from '../../../edge-api/tables/market-data-columns.ts'
import type { Cell, ColumnKind, RangeColumn, Row } from '../../../edge-api/tables/table.ts'
import { quotes, RANGE_TABLES } from '../../../edge-api/tables/tables.ts'
import { ARROW_READERS } from './arrow-readers.ts'

const column = (name: string, kind: ColumnKind, nullable = true): RangeColumn => ({
  name,
  kind,
  nullable,
  unit: '',
  description: '',
})
const KINDS: readonly RangeColumn[] = [
  column('ts', 'time', false),
  column('some_id', 'id'),
  column('price', 'price'),
  column('flag', 'flag'),
  column('text', 'text'),
  column('levels', 'levels'),
]
const DECIMALS = { price_decimals: 2, qty_decimals: 3 }
const READERS = Object.entries(ARROW_READERS)

/** Values of a row that has some of everything, by kind; `n` makes them differ. */
function someCell(kind: ColumnKind, n: number): Cell {
  switch (kind) {
    case 'time':
      return 1_723_161_240_000_001 + n
    case 'id':
      return 2 ** 53 - 1 - n
    case 'flag':
      return n % 2 === 0
    case 'text':
      return ['', 'sell', 'äß币', 'x'.repeat(n % 300)][n % 4]!
    case 'levels':
      return Float64Array.from({ length: 2 * (n % 5) }, (_, at) =>
        at % 2 === 0 ? n + at : 1e-8 * at,
      )
    case 'price':
    case 'qty':
    case 'number':
      return n / 3
  }
}

/** Makes every `null_every`-th nullable cell null; with 1, all of them. */
function someRows(
  columns: readonly RangeColumn[],
  row_count: number,
  null_every: number,
): readonly Row[] {
  return Array.from({ length: row_count }, (_, row) =>
    Object.fromEntries(
      columns.map(({ name, kind, nullable }, at) => {
        const n = row * columns.length + at
        return [name, nullable && n % null_every === 0 ? null : someCell(kind, n)]
      }),
    ),
  )
}

/** What each reader finds, and what it should. */
function readBy(rows: readonly Row[], columns: readonly RangeColumn[]) {
  const bytes = arrowStream(rows, columns, DECIMALS)
  const expected = columns.map(({ name }) => rows.map((row) => row[name]))
  return {
    found: READERS.map(([reader, read]) => ({ reader, columns: read(bytes, columns) })),
    expected: READERS.map(([reader]) => ({ reader, columns: expected })),
  }
}

test('every kind of column comes with its type, nulls and empty lists included', () => {
  const rows: readonly Row[] = [
    {
      ts: 1_723_161_240_000_001,
      some_id: 2 ** 53 - 1,
      price: 61_800.2,
      flag: true,
      text: 'sell',
      levels: Float64Array.of(1.5, 2, 3, 1e-8),
    },
    { ts: 1_723_161_240_000_002, some_id: null, price: null, flag: null, text: null, levels: null },
    {
      ts: 1_723_161_240_000_003,
      some_id: -1,
      price: -0.5,
      flag: false,
      text: 'äß币',
      levels: new Float64Array(0),
    },
  ]
  const { schema } = tableFromIPC(arrowStream(rows, KINDS, DECIMALS))
  expect(schema.fields.map(({ name, nullable, type }) => [name, nullable, String(type)])).toEqual([
    ['ts', false, 'Timestamp<MICROSECOND, UTC>'],
    ['some_id', true, 'Int64'],
    ['price', true, 'Float64'],
    ['flag', true, 'Bool'],
    ['text', true, 'Utf8'],
    ['levels', true, 'List<Struct<{price:Float64, qty:Float64}>>'],
  ])
  const { found, expected } = readBy(rows, KINDS)
  expect(found).toEqual(expected)
})

describe('every number of columns', () => {
  const kinds: readonly ColumnKind[] = ['number', 'id', 'flag', 'text', 'levels', 'time', 'price']
  for (const [name, step, row_count, null_every] of [
    ['with a few nulls', 1, 3, 3],
    ['without a row', 7, 0, 2],
    ['all null', 7, 2, 1],
  ] as const) {
    test(`from 1 to 260, ${name}`, () => {
      for (let count = 1; count <= 260; count += step) {
        // Names of any length, because each length shifts the parts of the metadata.
        const columns = Array.from({ length: count }, (_, at) =>
          column(
            `c${at}_${'n'.repeat((at * 7 + count) % 31)}`,
            kinds[(at + count) % kinds.length]!,
          ),
        )
        const { found, expected } = readBy(someRows(columns, row_count, null_every), columns)
        expect(found).toEqual(expected)
      }
    })
  }
})

test('more rows than a byte of a bitmap', () => {
  for (const row_count of [8, 9, 1_001, 5_000]) {
    const { found, expected } = readBy(someRows(KINDS, row_count, 3), KINDS)
    expect(found).toEqual(expected)
  }
})

for (const { row_name, columns } of [
  ...RANGE_TABLES,
  { row_name: 'Candle', columns: candle_columns },
]) {
  test(`${row_name}: its columns can be read, empty, full and all null`, () => {
    const stored = columns.filter(({ derived }) => derived === undefined)
    for (const [row_count, null_every] of [
      [0, 2],
      [5, 3],
      [3, 1],
    ] as const) {
      const { found, expected } = readBy(someRows(stored, row_count, null_every), stored)
      expect(found).toEqual(expected)
    }
  })
}

test('derived columns are computed', () => {
  const row = { best_bid: 61_800.2, best_ask: 61_800.3 }
  const derived = quotes.columns.filter((one) => one.derived !== undefined)
  const bytes = arrowStream([row], derived, DECIMALS)
  for (const [, read] of READERS) expect(read(bytes, derived)).toEqual([[0.1], [61_800.25]])
})
