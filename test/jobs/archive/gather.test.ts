/** Gathering rows in bounded memory, and their checksums, without a database. */
import { mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterAll, expect, test } from 'vitest'
import { RAW_TABLES } from '#core/tables.ts'
import { micros } from '#core/time.ts'
import { encodeRows } from '../../../jobs/archive/encode-rows.ts'
import { HourRows, type ListedSymbol } from '../../../jobs/archive/gather.ts'
import { Spill } from '../../../jobs/archive/spill.ts'
import { addRows, ChecksumSums } from '../../../jobs/columns/checksum.ts'
import { dataColumns, type SymbolRows } from '../../../jobs/columns/columns.ts'
import { sortRows } from '../../../jobs/columns/sort.ts'
import { HOUR } from './rows.ts'

const dir = await mkdtemp(join(tmpdir(), 'booktape-gather-'))
afterAll(() => rm(dir, { recursive: true }))
const table = RAW_TABLES.liquidations
let file_count = 0
const newPath = (): string => join(dir, `rows-${file_count++}`)

test('a spill of many times its buffer returns every key’s rows in order', async () => {
  const spill = await Spill.create(newPath(), 1_000)
  const expected = new Map<number, number[]>()
  for (let block = 0; block < 200; block++) {
    const keys = Array.from({ length: 1 + (block % 9) }, (_, i) => (block * 31 + i * i) % 17)
    const bytes = Buffer.alloc(keys.length * 8)
    const ends = keys.map((key, i) => {
      bytes.writeDoubleBE(block * 10 + i, i * 8)
      expected.set(key, [...(expected.get(key) ?? []), block * 10 + i])
      return (i + 1) * 8
    })
    await spill.add({ bytes, ends, keys })
  }
  await spill.flush()
  expect(spill.sizes()).toHaveLength(expected.size)
  for (const [key, values] of expected) {
    const { bytes, row_count } = await spill.read([key])
    expect(row_count).toBe(values.length)
    expect(values.map((_, i) => bytes.readDoubleBE(i * 8))).toEqual(values)
  }
  await spill.close()
})

test('a block larger than the buffer is refused with its size', async () => {
  const spill = await Spill.create(newPath(), 10)
  await expect(spill.add({ bytes: Buffer.alloc(11), ends: [11], keys: [1] })).rejects.toThrow(
    '11 bytes',
  )
  await spill.close()
})

/** One row per tenth of a second, with a price that may repeat. */
function rowsOf(times: readonly number[], price = 1): SymbolRows {
  const numbers = (values: readonly number[]): SymbolRows['columns'][number] => ({
    kind: 'numbers',
    values: Float64Array.from(values),
    nulls: undefined,
  })
  return {
    row_count: times.length,
    columns: [
      numbers(times.map((time) => HOUR + time * 1e5)),
      numbers(times.map((time) => HOUR + time * 1e5 + 7)),
      { kind: 'texts', words: ['buy', 'sell'], codes: Uint8Array.from(times, (time) => time % 2) },
      numbers(times.map(() => price)),
      numbers(times.map((time) => time / 3)),
      numbers(times.map((_, i) => i)),
      numbers(times.map((time) => -time)),
    ],
  }
}

const BTC: ListedSymbol = { exchange: 'binance-futures', symbol: 'BTCUSDT' }

test('parts of a symbol come in order of time, whatever the order of the rows, and hold all of them', async () => {
  const hour_rows = await HourRows.create(table, HOUR, newPath())
  const times = Array.from({ length: 5_000 }, (_, i) => (i * 7_919) % 35_999)
  await hour_rows.addFileRows(BTC, rowsOf(times))
  const found: number[] = []
  for await (const { symbol, rows } of hour_rows.parts('binance-futures', sums())) {
    expect(symbol).toBe('BTCUSDT')
    const [ts] = rows.columns
    if (ts?.kind === 'numbers') found.push(...ts.values.subarray(0, rows.row_count))
  }
  expect(found).toEqual(times.toSorted((a, b) => a - b).map((time) => HOUR + time * 1e5))
  await hour_rows.close()
})

test('of two rows with one identity the later one stays, and the other is returned as repeated', () => {
  const { rows, repeated } = sortRows(table, rowsOf([3, 1, 2, 1]))
  expect(rows.row_count).toBe(3)
  const order = rows.columns[5]!
  expect(order.kind === 'numbers' && [...order.values]).toEqual([3, 2, 0])
  expect(repeated?.row_count).toBe(1)
})

test('a row of another hour is refused', async () => {
  const hour_rows = await HourRows.create(table, micros(HOUR + 1), newPath())
  await expect(hour_rows.addFileRows(BTC, rowsOf([0]))).rejects.toThrow('outside the hour')
  await hour_rows.close()
})

async function* stream(...parts: readonly Buffer[]): AsyncGenerator<Buffer> {
  yield* parts
}

test('a truncated COPY stream, or another stream, ends with an error', async () => {
  const { bytes } = encodeRows(table, rowsOf([1, 2]), 0, 2)
  const header = Buffer.from('PGCOPY\n\xff\r\n\0\0\0\0\0\0\0\0\0', 'latin1')
  for (const [parts, message] of [
    [[header, bytes.subarray(0, -3)], 'in the middle of a row'],
    [[header, bytes], 'in the middle of a row'],
    [[Buffer.alloc(100), bytes], 'not a binary COPY'],
    [[header, Buffer.from([0, 3]), bytes], '3 columns'],
  ] as const) {
    const hour_rows = await HourRows.create(table, HOUR, newPath())
    await expect(hour_rows.addTableRows(stream(...parts), new Map([[0, BTC]]))).rejects.toThrow(
      message,
    )
    await hour_rows.close()
  }
})

function sums(): ChecksumSums {
  return new ChecksumSums(dataColumns(table))
}

function checksumsOf(rows: SymbolRows, symbol = 'BTCUSDT'): Readonly<Record<string, string>> {
  const added = sums()
  addRows(added, symbol, rows)
  return added.toChecksums()
}

test('checksums do not depend on the order of rows, and add up', () => {
  const together = rowsOf([5, 3, 9])
  const parts = sums()
  addRows(parts, 'BTCUSDT', together, 2, 3)
  addRows(parts, 'BTCUSDT', together, 0, 2)
  expect(parts.toChecksums()).toEqual(checksumsOf(together))
  const less = sums()
  addRows(less, 'BTCUSDT', together, 1, 2)
  parts.add(less, -1)
  const rest = sums()
  addRows(rest, 'BTCUSDT', together, 0, 1)
  addRows(rest, 'BTCUSDT', together, 2, 3)
  expect(parts.toChecksums()).toEqual(rest.toChecksums())
  expect(parts.row_count).toBe(2)
})

test('checksums change with a changed value, swapped values, a null or another symbol', () => {
  const right = checksumsOf(rowsOf([5, 3, 9]))
  const changed = rowsOf([5, 3, 9])
  const last = changed.columns[6]!
  if (last.kind === 'numbers') last.values[1] = -3.0000000000000004
  const { filled_qty, ...others } = checksumsOf(changed)
  expect(right).toMatchObject(others)
  expect(filled_qty).not.toBe(right['filled_qty'])

  const swapped = rowsOf([5, 3, 9])
  const qty = swapped.columns[4]!
  if (qty.kind === 'numbers') qty.values.set([3 / 3, 5 / 3])
  expect(checksumsOf(swapped)['qty']).not.toBe(right['qty'])

  const [first, ...columns] = rowsOf([5, 3, 9]).columns
  const nulls = Uint8Array.of(0, 0, 1)
  const with_null = {
    row_count: 3,
    columns: [{ ...first!, nulls } as typeof first & object, ...columns],
  }
  expect(checksumsOf(with_null)['ts_exchange']).not.toBe(right['ts_exchange'])
  expect(checksumsOf(rowsOf([5, 3, 9]), 'ETHUSDT')['symbol']).not.toBe(right['symbol'])
})
