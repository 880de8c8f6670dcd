/** Tardis' CSV format: https://docs.tardis.dev/downloadable-csv-files */
import { mkdtemp, readFile, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { gunzipSync } from 'node:zlib'
import { afterAll, expect, test } from 'vitest'
import type { Exchange } from '#core/symbols.ts'
import { parseDay } from '#core/time.ts'
import type { ColumnData } from '../../../../jobs/columns/columns.ts'
import { RowChunk } from '../../../../jobs/columns/row-chunk.ts'
import { createCsvFile } from '../../../../jobs/datasets/tardis/csv-file.ts'
import {
  TARDIS_HEADERS,
  tardisFileName,
  tardisLines,
  type RowKind,
} from '../../../../jobs/datasets/tardis/csv.ts'
import { LineBuffer, plainDecimal } from '../../../../jobs/datasets/tardis/line-buffer.ts'
import { randomNumbers } from '../../features/random.ts'

const dir = await mkdtemp(join(tmpdir(), 'booktape-csv-'))
afterAll(() => rm(dir, { recursive: true }))

function chunkOf(
  row_count: number,
  columns: Readonly<Record<string, (row: number) => number>>,
): RowChunk {
  const data = Object.entries(columns).map(([name, value]): [string, ColumnData] => {
    const values = Float64Array.from({ length: row_count }, (_, row) => value(row))
    if (name !== 'is_buyer_maker') return [name, { kind: 'numbers', values, nulls: undefined }]
    return [name, { kind: 'flags', values: Uint8Array.from(values) }]
  })
  return new RowChunk(row_count, new Map(data))
}

function linesOf(kind: RowKind, exchange: Exchange, chunk: RowChunk): string {
  return Buffer.concat([...tardisLines(kind, exchange, 'BTCUSDT', chunk)]).toString()
}

function decimalOf(value: number): string {
  const lines = new LineBuffer(400)
  lines.addDecimal(value)
  return lines.take().toString()
}

test('trades: names and order of the columns, whole microseconds, the taker’s side', () => {
  const chunk = chunkOf(2, {
    ts_exchange: (row) => 1_723_161_600_000_001 + row,
    ts_ingest: (row) => 1_723_161_600_004_577 + row,
    agg_trade_id: () => 9_007_199_254_740_991,
    price: () => 61_800.2,
    qty: (row) => (row === 0 ? 1e-8 : 0.001),
    is_buyer_maker: (row) => row,
  })
  expect(TARDIS_HEADERS.trades).toBe(
    'exchange,symbol,timestamp,local_timestamp,id,side,price,amount',
  )
  expect(linesOf('trades', 'binance-futures', chunk)).toBe(
    'binance-futures,BTCUSDT,1723161600000001,1723161600004577,9007199254740991,buy,61800.2,0.00000001\n' +
      'binance-futures,BTCUSDT,1723161600000002,1723161600004578,9007199254740991,sell,61800.2,0.001\n',
  )
})

test('quotes: ask first, then bid, as Tardis has them; spot is called binance', () => {
  const chunk = chunkOf(1, {
    ts_exchange: () => 5,
    ts_ingest: () => 6,
    best_bid: () => 10.5,
    bid_qty: () => 2,
    best_ask: () => 10.75,
    ask_qty: () => 3,
  })
  expect(TARDIS_HEADERS.quotes).toBe(
    'exchange,symbol,timestamp,local_timestamp,ask_amount,ask_price,bid_price,bid_amount',
  )
  expect(linesOf('quotes', 'binance-spot', chunk)).toBe('binance,BTCUSDT,5,6,3,10.75,10.5,2\n')
  expect(tardisFileName('quotes', 'binance-spot', parseDay('2024-08-08')!, 'BTCUSDT')).toBe(
    'binance_quotes_2024-08-08_BTCUSDT.csv.gz',
  )
})

test('an empty side of a book is two empty fields', () => {
  const chunk = chunkOf(2, {
    ts_exchange: () => 5,
    ts_ingest: () => 6,
    best_bid: (row) => (row === 0 ? NaN : 10.5),
    bid_qty: (row) => (row === 0 ? NaN : 2),
    best_ask: (row) => (row === 1 ? NaN : 10.75),
    ask_qty: (row) => (row === 1 ? NaN : 3),
  })
  expect(linesOf('quotes', 'binance-spot', chunk)).toBe(
    'binance,BTCUSDT,5,6,3,10.75,,\nbinance,BTCUSDT,5,6,,,10.5,2\n',
  )
})

for (const [value, text] of [
  [1e-7, '0.0000001'],
  [1e-8, '0.00000001'],
  [1.25e-9, '0.00000000125'],
  [1e21, '1000000000000000000000'],
  [1.5e22, '15000000000000000000000'],
  [9_007_199_254_740_992, '9007199254740992'],
  [61_800.20000000001, '61800.20000000001'],
  [0.1 + 0.2, '0.30000000000000004'],
  [99_999_999.99, '99999999.99'],
  [100_000_000.05, '100000000.05'],
  [1.05, '1.05'],
  [-0.5, '-0.5'],
  [0, '0'],
  [5e-324, plainDecimal(5e-324)],
] as const) {
  test(`${value} is written as ${text.slice(0, 40)}, which reads back as the same double`, () => {
    expect(decimalOf(value)).toBe(text)
    expect(plainDecimal(value)).toBe(text)
    expect(Number(text)).toBe(value)
  })
}

test('digits are those of String for any price in steps, and for any double', () => {
  const random = randomNumbers(11)
  const wrong: number[] = []
  for (let i = 0; i < 100_000; i++) {
    const steps = Math.floor(random() * 10 ** (1 + (i % 13)))
    const value = i % 3 === 0 ? random() * 10 ** (i % 9) : steps / 10 ** (i % 10)
    if (decimalOf(value) !== plainDecimal(value)) wrong.push(value)
  }
  expect(wrong).toEqual([])
})

test('more lines than one batch holds arrive in order, and the same lines give the same bytes', async () => {
  const row_count = 20_000
  const chunk = chunkOf(row_count, {
    ts_exchange: (row) => row,
    ts_ingest: (row) => row,
    agg_trade_id: (row) => row,
    price: () => 1,
    qty: () => 1,
    is_buyer_maker: () => 0,
  })
  const files: Buffer[] = []
  for (const name of ['a', 'b']) {
    const file = createCsvFile(join(dir, name), TARDIS_HEADERS.trades)
    for (const lines of tardisLines('trades', 'deribit', 'X', chunk)) await file.write(lines)
    await file.finish()
    files.push(await readFile(join(dir, name)))
    // A gzip header has a resolution of seconds.
    await new Promise((resolve) => setTimeout(resolve, 1_050))
  }
  expect(files[1]).toEqual(files[0])
  const lines = gunzipSync(files[0]!).toString().trimEnd().split('\n')
  expect(lines).toHaveLength(row_count + 1)
  expect(lines.at(-1)).toBe('deribit,X,19999,19999,19999,buy,1,1')
})

test('a file that cannot be written fails instead of waiting forever', async () => {
  const file = createCsvFile(join(dir, 'no', 'such', 'folder'), 'a')
  await expect(file.finish()).rejects.toMatchObject({ code: 'ENOENT' })
  await file.close()
})
