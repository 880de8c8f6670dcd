/** Runs the whole job on a small market: from rows in the tables to files in the store. */
import { readFile, readdir } from 'node:fs/promises'
import { join } from 'node:path'
import { zstdDecompressSync } from 'node:zlib'
import { CompressionType, compressionRegistry, tableFromIPC } from 'apache-arrow'
import { parquetMetadata, parquetReadObjects } from 'hyparquet'
import { expect, test } from 'vitest'
import type { Manifest } from '#core/dataset.ts'
import { FEATURES_1S, FEATURES_1S_F32, NEVER } from '#core/features.ts'
import { silentLogger } from '#core/node/log.ts'
import { parseDay } from '#core/time.ts'
import { digestOf } from '../../../jobs/columns/digest.ts'
import { runVerify } from '../../../jobs/datasets/verify/run-verify.ts'
import {
  insertGap,
  insertQuotes,
  insertSymbols,
  insertTrades,
  type GapRow,
  type QuoteRow,
  type TradeRow,
} from '../market.ts'
import { createStand, NOON, readWithDuckDb, type Stand } from '../stand.ts'

compressionRegistry.set(CompressionType.ZSTD, { decode: (bytes) => zstdDecompressSync(bytes) })

const MIDNIGHT = Date.parse('2024-08-09T00:00:00Z') * 1_000
const at = (seconds: number): number => MIDNIGHT + Math.round(seconds * 1e6)

const quote = (
  symbol: string,
  seconds: number,
  id: number,
  bid: number,
  bid_qty = 1,
): QuoteRow => ({
  symbol,
  ts: at(seconds),
  id,
  bid,
  bid_qty,
  ask: bid + 2,
  ask_qty: 3,
})
const trade = (symbol: string, seconds: number, id: number, qty: number): TradeRow => ({
  symbol,
  ts: at(seconds),
  id,
  price: 100,
  qty,
  is_buyer_maker: id % 2 === 0,
})

// BTC is carried over midnight. ADA starts at 00:00:03. ZEC traded, but its only quote on the 8th
// is after a gap. 龙USDT has the exchange's last event, at 00:00:09.
const QUOTES: readonly QuoteRow[] = [
  quote('BTCUSDT', -2, 1, 99),
  quote('BTCUSDT', -1, 2, 100, 5),
  quote('BTCUSDT', 1.000001, 3, 100, 9),
  quote('BTCUSDT', 4.5, 4, 101, 2),
  quote('ADAUSDT', 3.25, 7, 1),
  quote('ZECUSDT', -5, 7, 50),
  quote('ZECUSDT', 2, 8, 51),
  quote('龙USDT', 9.999999, 1, 7),
]
const TRADES: readonly TradeRow[] = [
  trade('BTCUSDT', -1, 10, 4),
  trade('BTCUSDT', 1.5, 11, 0.1),
  trade('BTCUSDT', 1.5, 12, 0.2),
  trade('BTCUSDT', 6, 15, 0.3),
  trade('ZECUSDT', 1.75, 3, 2),
]
const GAPS: readonly GapRow[] = [
  { symbol: 'BTCUSDT', channel: 'trades', from_ts: at(1.5), to_ts: at(2.5), repaired: true },
  { symbol: 'BTCUSDT', channel: 'trades', from_ts: at(4), to_ts: at(6), from_id: 12, to_id: 15 },
  { symbol: 'ZECUSDT', channel: 'book_ticker', from_ts: at(-5), to_ts: at(2) },
]

async function load(stand: Stand, reversed: boolean): Promise<void> {
  const order = <T>(rows: readonly T[]): readonly T[] => (reversed ? rows.toReversed() : rows)
  const symbols = ['XRPUSDT', 'BTCUSDT', '龙USDT', 'ADAUSDT', 'ZECUSDT']
  await insertSymbols(stand.pool, order(symbols))
  await insertQuotes(stand.pool, order(QUOTES))
  await insertTrades(stand.pool, order(TRADES))
  for (const gap of order(GAPS)) await insertGap(stand.pool, gap)
}

const stand = await createStand()
await load(stand, false)
const result = await stand.features('2024-08-09')
const published = result.sets[0].files
const [parquet_key, arrow_key, coverage_key] = published.map(({ key }) => key) as [
  string,
  string,
  string,
]
const manifest = JSON.parse(
  Buffer.from(
    (await stand.store.get(parquet_key.replace(/build=.*$/, 'manifest.json')))!,
  ).toString(),
) as Manifest

test('rows are sorted by exchange, symbol and second, dense from the first event to the exchange’s last', async () => {
  const rows = await readWithDuckDb(
    stand,
    parquet_key,
    (file) =>
      `select symbol, count(*)::int as n, min(epoch_us(ts))::double as first, max(epoch_us(ts))::double as last
       from (select *, row_number() over () as place from ${file}) group by symbol order by min(place)`,
  )
  expect(rows).toEqual([
    { symbol: 'ADAUSDT', n: 7, first: at(3), last: at(9) },
    { symbol: 'BTCUSDT', n: 10, first: at(0), last: at(9) },
    { symbol: 'ZECUSDT', n: 9, first: at(1), last: at(9) },
    { symbol: '龙USDT', n: 1, first: at(9), last: at(9) },
  ])
  expect(result.row_count).toBe(27)
})

test('the chain of quotes continues over midnight, but not across a gap', async () => {
  const rows = await readWithDuckDb(
    stand,
    parquet_key,
    (
      file,
    ) => `select symbol, mid_open, mid_close, ofi, quote_count::int as n, realised_variance as rv
               from ${file} where symbol in ('BTCUSDT', 'ZECUSDT') and epoch(ts)::int % 60 < 3`,
  )
  expect(rows).toEqual([
    { symbol: 'BTCUSDT', mid_open: 101, mid_close: 101, ofi: 0, n: 0, rv: 0 },
    { symbol: 'BTCUSDT', mid_open: 101, mid_close: 101, ofi: 4, n: 1, rv: 0 },
    { symbol: 'BTCUSDT', mid_open: 101, mid_close: 101, ofi: 0, n: 0, rv: 0 },
    { symbol: 'ZECUSDT', mid_open: null, mid_close: null, ofi: null, n: null, rv: null },
    { symbol: 'ZECUSDT', mid_open: 52, mid_close: 52, ofi: 0, n: 1, rv: null },
  ])
})

test('trades: 0 in a quiet second, null in an open gap, complete after a repair', async () => {
  const rows = await readWithDuckDb(
    stand,
    parquet_key,
    (file) => `select trade_count::int as n, volume, vwap from ${file} where symbol = 'BTCUSDT'`,
  )
  const quiet = { n: 0, volume: 0, vwap: null }
  const blind = { n: null, volume: null, vwap: null }
  expect(rows).toEqual([
    quiet,
    { n: 2, volume: 0.3, vwap: 100 },
    quiet,
    quiet,
    blind,
    blind,
    blind,
    quiet,
    quiet,
    quiet,
  ])
})

test('Parquet: columns, types, nulls and statistics of the registry, one row group per symbol', async () => {
  const types = {
    timestamp_us: 'TIMESTAMP WITH TIME ZONE',
    string: 'VARCHAR',
    float64: 'DOUBLE',
    float32: 'FLOAT',
    int64: 'BIGINT',
  }
  const columns = await readWithDuckDb(
    stand,
    parquet_key,
    (file) => `describe select * from ${file}`,
  )
  expect(columns.map((column) => [column['column_name'], column['column_type']])).toEqual(
    FEATURES_1S.map(({ name, type }) => [name, types[type]]),
  )
  const bytes = (await stand.store.get(parquet_key))!
  const file = bytes.buffer.slice(
    bytes.byteOffset,
    bytes.byteOffset + bytes.byteLength,
  ) as ArrayBuffer
  const metadata = parquetMetadata(file)
  expect(metadata.created_by).toBe('booktape')
  expect(metadata.key_value_metadata).toEqual([
    { key: 'dataset', value: 'features_1s' },
    { key: 'schema_version', value: '4' },
    { key: 'date', value: '2024-08-09' },
  ])
  expect(
    metadata.schema.slice(1).map(({ name, repetition_type }) => [name, repetition_type]),
  ).toEqual(
    FEATURES_1S.map(({ name, null_rule }) => [name, null_rule === NEVER ? 'REQUIRED' : 'OPTIONAL']),
  )
  expect(metadata.row_groups.map((group) => Number(group.num_rows))).toEqual([7, 10, 9, 1])
  for (const [i, symbol] of ['ADAUSDT', 'BTCUSDT', 'ZECUSDT', '龙USDT'].entries()) {
    const names = metadata.row_groups[i]!.columns[2]!.meta_data!
    expect([names.codec, names.encodings]).toEqual(['ZSTD', ['PLAIN', 'RLE_DICTIONARY']])
    expect([names.statistics!.min_value, names.statistics!.max_value]).toEqual([symbol, symbol])
  }
  const rows = await parquetReadObjects({
    file,
    compressors: { ZSTD: (input) => zstdDecompressSync(input) },
    parsers: { timestampFromMicroseconds: (us: bigint) => us },
  })
  expect(rows).toHaveLength(27)
  expect(rows[7]).toMatchObject({
    ts: BigInt(at(0)),
    symbol: 'BTCUSDT',
    mid_close: 101,
    trade_count: 0n,
  })
})

test('Arrow: the same values and nulls as the Parquet file, with the format’s compression', async () => {
  const bytes = (await stand.store.get(arrow_key))!
  const table = tableFromIPC(bytes)
  expect(table.schema.fields.map(({ name, nullable }) => [name, nullable])).toEqual(
    FEATURES_1S.map(({ name, null_rule }) => [name, null_rule !== NEVER]),
  )
  expect(String(table.schema.fields[0]!.type)).toBe('Timestamp<MICROSECOND, UTC>')
  expect(Object.fromEntries(table.schema.metadata)).toMatchObject({ date: '2024-08-09' })
  expect(table.batches.map((batch) => batch.numRows)).toEqual([7, 10, 9, 1])

  const parquet = await readWithDuckDb(
    stand,
    parquet_key,
    (file) => `select epoch_us(ts) as ts, * exclude (ts) from ${file}`,
  )
  const times = table.batches.flatMap((batch) => [
    ...(batch.getChildAt(0)!.data[0]!.values as BigInt64Array),
  ])
  expect(times).toEqual(parquet.map((row) => row['ts']))
  for (const { name } of FEATURES_1S.slice(1)) {
    expect({ [name]: [...table.getChild(name)!] }).toEqual({
      [name]: parquet.map((row) => row[name]),
    })
  }
})

test('the manifest describes the files and what is missing', async () => {
  for (const file of manifest.files) {
    const stored = published.find(({ name }) => name === file.name)!
    const { bytes, sha256 } = await digestOf((await stand.store.read(stored.key))!)
    expect([bytes, sha256]).toEqual([file.bytes, file.sha256])
  }
  expect(manifest).toMatchObject({
    dataset: 'features_1s',
    schema_version: 4,
    complete: true,
    row_count: 27,
  })
  expect(manifest.columns).toEqual(FEATURES_1S)
  expect(
    manifest.coverage.map(({ symbol, row_count, present_s, missing_s }) => [
      symbol,
      row_count,
      present_s,
      missing_s,
    ]),
  ).toEqual([
    ['ADAUSDT', 7, 7, 86_393],
    ['BTCUSDT', 10, 10, 86_390],
    ['ZECUSDT', 9, 8, 86_392],
    ['龙USDT', 1, 1, 86_399],
  ])
  expect(manifest.coverage[1]).toMatchObject({
    from_ts: '2024-08-09T00:00:00.000000Z',
    to_ts: '2024-08-09T00:00:09.000000Z',
    quote_count: 2,
    trade_count: 3,
    gap_count: 2,
    gaps: [
      { channel: 'trades', from_ts: '2024-08-09T00:00:01.500000Z', repaired: true },
      {
        channel: 'trades',
        to_ts: '2024-08-09T00:00:06.000000Z',
        repaired: false,
        cause: 'disconnect',
      },
    ],
  })
})

test('coverage.parquet has every stream and gap, for readers that support lists', async () => {
  const rows = await readWithDuckDb(
    stand,
    coverage_key,
    (
      file,
    ) => `select symbol, channel, event_count::int as n, present_s, missing_s, len(gaps)::int as gap_count,
                 epoch_us(gaps[1].from_ts)::double as from_ts, gaps[1].cause as cause, gaps[1].repaired as repaired
               from ${file} where symbol in ('BTCUSDT', 'ADAUSDT')`,
  )
  const none = { gap_count: 0, from_ts: null, cause: null, repaired: null }
  const unheard = { n: 0, present_s: 0, missing_s: 86_400, ...none }
  const others = (symbol: string) =>
    ['depth_events', 'mark_price', 'liquidations'].map((channel) => ({
      symbol,
      channel,
      ...unheard,
    }))
  expect(rows).toEqual([
    { symbol: 'ADAUSDT', channel: 'book_ticker', n: 1, present_s: 7, missing_s: 86_393, ...none },
    { symbol: 'ADAUSDT', channel: 'trades', n: 0, present_s: 7, missing_s: 86_393, ...none },
    ...others('ADAUSDT'),
    { symbol: 'BTCUSDT', channel: 'book_ticker', n: 2, present_s: 10, missing_s: 86_390, ...none },
    {
      symbol: 'BTCUSDT',
      channel: 'trades',
      n: 3,
      present_s: 7,
      missing_s: 86_393,
      gap_count: 2,
      from_ts: at(1.5),
      cause: 'disconnect',
      repaired: true,
    },
    ...others('BTCUSDT'),
  ])
})

test('another database with other symbol ids and another insertion order gives the same bytes', async () => {
  const other = await createStand()
  await load(other, true)
  const again = await other.features('2024-08-09', { export_dir: join(other.dir, 'export') })
  expect(again.sets).toEqual(result.sets)
  const folder = join(other.dir, 'export', 'date=2024-08-09')
  expect((await readdir(folder)).toSorted()).toEqual([
    'coverage.parquet',
    'features_1s.arrow',
    'features_1s.parquet',
    'manifest.json',
  ])
  expect(JSON.parse(await readFile(join(folder, 'manifest.json'), 'utf8'))).toEqual({
    ...manifest,
    // A local copy has its files next to it.
    build: undefined,
  })
  expect(await readFile(join(folder, 'features_1s.arrow'))).toEqual(
    Buffer.from((await stand.store.get(arrow_key))!),
  )
})

test('an exchange without any trades did not record trades: null, not 0', async () => {
  const other = await createStand()
  await insertSymbols(other.pool, ['BTCUSDT'])
  await insertQuotes(other.pool, [quote('BTCUSDT', 1, 1, 100)])
  const { files } = (await other.features('2024-08-09')).sets[0]
  const rows = await readWithDuckDb(
    other,
    files[0]!.key,
    (file) => `select mid_close, volume, trade_count from ${file}`,
  )
  expect(rows).toEqual([{ mid_close: 101, volume: null, trade_count: null }])
})

test('a day without data is refused, with the days that have data, and nothing is published', async () => {
  const before = await stand.store.list('')
  await expect(stand.features('2024-08-11')).rejects.toMatchObject({
    code: 'no_data',
    message:
      'There are no quotes, trades or depth of 2024-08-11; days with data are 2024-08-09, 2024-08-08.',
  })
  expect(await stand.store.list('')).toEqual(before)
})

test('a day that has not begun is refused', async () => {
  await expect(stand.features('2024-08-21')).rejects.toMatchObject({ code: 'day_in_future' })
})

test('the current day can be built, and its manifest says that it is not complete', async () => {
  const { complete } = await stand.features('2024-08-08', {
    now: () => Date.parse('2024-08-08T23:59:59Z'),
  })
  expect(complete).toBe(false)
  expect((await stand.features('2024-08-08')).complete).toBe(true)
})

test('the work folder is empty afterwards', async () => {
  expect(await readdir(join(stand.dir, 'work'))).toEqual([])
})

test('features_1s_f32 has the values of features_1s, each as the nearest float32', async () => {
  const { sets } = await stand.features('2024-08-09', { with_f32: true })
  const keys = new Map(sets.map(({ dataset, files }) => [dataset, files.map(({ key }) => key)]))
  const [f32_parquet, f32_arrow] = keys.get('features_1s_f32')!
  const columns = FEATURES_1S_F32.filter(({ type }) => type === 'float32').map(({ name }) => name)
  // Built in the same run: the fit of the day before is there by now.
  const f64 = await readWithDuckDb(
    stand,
    keys.get('features_1s')![0]!,
    (file) =>
      `select ${columns.map((name) => `${name}::float as ${name}`).join(', ')} from ${file}`,
  )
  const f32 = await readWithDuckDb(
    stand,
    f32_parquet!,
    (file) => `select ${columns.join(', ')} from ${file}`,
  )
  expect(f32.length).toBe(result.row_count)
  expect(f32).toEqual(f64)
  const table = tableFromIPC((await stand.store.get(f32_arrow!))!)
  expect(table.schema.fields.find(({ name }) => name === 'ofi')!.type.toString()).toBe('Float32')
  const found = await runVerify({
    pool: stand.pool,
    store: stand.store,
    dataset: 'features_1s_f32',
    date: parseDay('2024-08-09')!,
    work_dir: join(stand.dir, 'verify'),
    log: silentLogger,
    now: () => NOON,
  })
  expect(found.findings).toEqual([])
  // Each symbol is found in the footer, which is small enough for one request.
  const bytes = (await stand.store.get(f32_parquet!))!
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength)
  expect(view.getUint32(bytes.byteLength - 8, true)).toBeLessThan(512 * 1024)
})
