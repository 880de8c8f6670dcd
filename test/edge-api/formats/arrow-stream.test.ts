/** Our Arrow streams, read by apache-arrow. */
import { tableFromIPC } from 'apache-arrow'
import { expect, test } from 'vitest'
import { arrowStream } from '../../../edge-api/formats/arrow-stream.ts'
import type { ColumnKind, RangeColumn, Row } from '../../../edge-api/range/table.ts'
import { depth, quotes } from '../../../edge-api/range/tables.ts'

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

function read(bytes: Uint8Array): readonly Record<string, unknown>[] {
  const table = tableFromIPC(bytes)
  return table.toArray().map((row) => row.toJSON() as Record<string, unknown>)
}

function cell(value: unknown): unknown {
  if (typeof value === 'bigint') return Number(value)
  if (value === null || typeof value !== 'object') return value
  return [...(value as Iterable<{ toJSON(): { price: number; qty: number } }>)].map((level) => {
    const { price, qty } = level.toJSON()
    return [price, qty]
  })
}

test('every kind of column comes back as it was, nulls and empty lists included', () => {
  const rows: readonly Row[] = [
    {
      ts: 1_723_161_240_000_001,
      some_id: 2 ** 53 - 1,
      price: 61_800.2,
      flag: true,
      text: 'sell',
      levels: [
        [1.5, 2],
        [3, 1e-8],
      ],
    },
    { ts: 1_723_161_240_000_002, some_id: null, price: null, flag: null, text: null, levels: null },
    { ts: 1_723_161_240_000_003, some_id: -1, price: -0.5, flag: false, text: 'äß币', levels: [] },
  ]
  const bytes = arrowStream(rows, KINDS, DECIMALS)
  const table = tableFromIPC(bytes)
  expect(
    table.schema.fields.map(({ name, nullable, type }) => [name, nullable, String(type)]),
  ).toEqual([
    ['ts', false, 'Timestamp<MICROSECOND, UTC>'],
    ['some_id', true, 'Int64'],
    ['price', true, 'Float64'],
    ['flag', true, 'Bool'],
    ['text', true, 'Utf8'],
    ['levels', true, 'List<Struct<{price:Float64, qty:Float64}>>'],
  ])
  const found = Array.from({ length: 3 }, (_, i) =>
    Object.fromEntries(
      table.schema.fields.map(({ name }, at) => {
        const values = table.getChildAt(at)!
        // apache-arrow gives times as milliseconds: the stored microseconds are what counts.
        const value = name === 'ts' ? (values.data[0]!.values as BigInt64Array)[i] : values.get(i)
        return [name, cell(value)]
      }),
    ),
  )
  expect(found).toEqual(rows)
})

test('more rows than a byte of a bitmap, and none at all', () => {
  const rows = Array.from({ length: 1_001 }, (_, i) => ({
    ts: i,
    some_id: i % 3 === 0 ? null : i,
    price: i,
    flag: i % 2 === 0,
    text: 'x'.repeat(i % 7),
    levels: [],
  }))
  const found = read(arrowStream(rows, KINDS, DECIMALS))
  expect(found.map((row) => cell(row['some_id']))).toEqual(rows.map((row) => row.some_id))
  expect(found.map((row) => row['flag'])).toEqual(rows.map((row) => row.flag))
  expect(found.map((row) => row['text'])).toEqual(rows.map((row) => row.text))
  expect(read(arrowStream([], KINDS, DECIMALS))).toEqual([])
})

test('derived columns are computed; the columns of every table can be written', () => {
  const row = { best_bid: 61_800.2, best_ask: 61_800.3 }
  const derived = quotes.columns.filter((one) => one.derived !== undefined)
  expect(read(arrowStream([row], derived, DECIMALS))).toEqual([{ spread: 0.1, mid: 61_800.25 }])
  expect(read(arrowStream([], depth.columns, DECIMALS))).toEqual([])
})
