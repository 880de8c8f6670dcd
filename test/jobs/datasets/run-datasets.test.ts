/** Candles, trades and quotes of a small market: files in the store, read by other programs. */
import { join } from 'node:path'
import { gunzipSync } from 'node:zlib'
import { expect, test } from 'vitest'
import type { Manifest } from '#core/dataset.ts'
import { silentLogger } from '#core/node/log.ts'
import { MANIFEST_FILE, manifestKey } from '#core/object-keys.ts'
import { parseDay } from '#core/time.ts'
import { runArchive } from '../../../jobs/archive/run-archive.ts'
import type { DayResult } from '../../../jobs/datasets/day-job.ts'
import { runDatasets } from '../../../jobs/datasets/run-datasets.ts'
import { selectStaleDays } from '../../../jobs/datasets/stale-days.ts'
import { publishedKey, readManifest, versionOf } from '../../support/published.ts'
import { insertGap, insertQuotes, insertSymbols, insertTrades } from '../market.ts'
import { createStand, NOON, readWithDuckDb, type Stand } from '../stand.ts'

const MIDNIGHT = Date.parse('2024-08-09T00:00:00Z') * 1_000
const DATE = parseDay('2024-08-09')!
const at = (seconds: number): number => MIDNIGHT + Math.round(seconds * 1e6)

async function load({ pool }: Stand, reversed: boolean): Promise<void> {
  const symbols = ['BTCUSDT', '龙USDT', 'ADAUSDT']
  await insertSymbols(pool, reversed ? symbols.toReversed() : symbols)
  await insertQuotes(
    pool,
    Array.from({ length: 200 }, (_, i) => ({
      symbol: i % 4 === 3 ? '龙USDT' : 'BTCUSDT',
      ts: at(i * 0.75 + 0.000_001),
      id: i + 1,
      bid: 100 + i / 8,
      bid_qty: 1,
      ask: 101 + i / 8,
      ask_qty: 1e-7,
    })),
  )
  await insertTrades(
    pool,
    Array.from({ length: 100 }, (_, i) => ({
      symbol: i % 5 === 0 ? 'ADAUSDT' : 'BTCUSDT',
      ts: at(i * 36 + 0.000_001),
      id: i + 1,
      price: 100 + (i % 7) / 8,
      qty: 0.5,
      is_buyer_maker: i % 2 === 0,
    })),
  )
  const gap = { symbol: 'BTCUSDT', channel: 'trades', from_ts: at(70), to_ts: at(100) } as const
  await insertGap(pool, gap)
}

const build = (stand: Stand): Promise<DayResult> =>
  runDatasets({
    pool: stand.pool,
    store: stand.store,
    date: DATE,
    work_dir: join(stand.dir, 'work'),
    log: silentLogger,
    now: () => NOON,
  })

const archive = (stand: Stand): ReturnType<typeof runArchive> =>
  runArchive({
    pool: stand.pool,
    store: stand.store,
    codec: 'zstd',
    work_dir: join(stand.dir, 'work'),
    log: silentLogger,
    now: () => NOON,
  })

const manifestOf = async ({ store }: Stand, dataset: string): Promise<Manifest> =>
  (await readManifest(store, dataset, versionOf(dataset), DATE))!

async function bytesOf({ store }: Stand): Promise<Readonly<Record<string, string>>> {
  const keys = (await store.list('datasets/')).map(({ key }) => key)
  const entries = keys.map(async (key) => [
    key,
    Buffer.from((await store.get(key))!).toString('base64'),
  ])
  return Object.fromEntries(await Promise.all(entries))
}

const stand = await createStand()
await load(stand, false)
const result = await build(stand)
const built = await bytesOf(stand)
const published = new Map(
  await Promise.all(
    result.sets.map(async ({ dataset }) => [dataset, await manifestOf(stand, dataset)] as const),
  ),
)
const key = (dataset: string, file: string): string =>
  file === MANIFEST_FILE
    ? manifestKey(dataset, versionOf(dataset), DATE)
    : publishedKey(published.get(dataset)!, file)

test('a day has a Parquet file, its coverage, and a CSV file per symbol with rows', () => {
  expect(Object.keys(built)).toEqual([
    'datasets/bars/latest.json',
    key('bars', 'bars.arrow'),
    key('bars', 'bars.parquet'),
    key('bars', 'coverage.parquet'),
    key('bars', 'manifest.json'),
    'datasets/candles/latest.json',
    key('candles', 'candles.arrow'),
    key('candles', 'candles.parquet'),
    key('candles', 'coverage.parquet'),
    key('candles', 'manifest.json'),
    'datasets/clusters/latest.json',
    key('clusters', 'clusters.arrow'),
    key('clusters', 'clusters.parquet'),
    key('clusters', 'coverage.parquet'),
    key('clusters', 'manifest.json'),
    'datasets/labels_barrier/latest.json',
    key('labels_barrier', 'coverage.parquet'),
    key('labels_barrier', 'labels_barrier.arrow'),
    key('labels_barrier', 'labels_barrier.parquet'),
    key('labels_barrier', 'manifest.json'),
    'datasets/quotes/latest.json',
    key('quotes', `binance-futures_quotes_${DATE}_BTCUSDT.csv.gz`),
    key('quotes', `binance-futures_quotes_${DATE}_龙USDT.csv.gz`),
    key('quotes', 'coverage.parquet'),
    key('quotes', 'quotes.parquet'),
    key('quotes', 'manifest.json'),
    'datasets/signals/latest.json',
    key('signals', 'coverage.parquet'),
    key('signals', 'signals.arrow'),
    key('signals', 'signals.parquet'),
    key('signals', 'manifest.json'),
    'datasets/trades/latest.json',
    key('trades', `binance-futures_trades_${DATE}_ADAUSDT.csv.gz`),
    key('trades', `binance-futures_trades_${DATE}_BTCUSDT.csv.gz`),
    key('trades', 'coverage.parquet'),
    key('trades', 'trades.parquet'),
    key('trades', 'manifest.json'),
  ])
  expect(result.sets.map(({ dataset, row_count }) => [dataset, row_count])).toEqual([
    ['candles', expect.any(Number)],
    ['clusters', expect.any(Number)],
    ['trades', 100],
    ['quotes', 200],
    ['bars', expect.any(Number)],
    ['labels_barrier', expect.any(Number)],
    ['signals', expect.any(Number)],
  ])
})

test('Parquet and CSV hold the rows of the table, with microseconds', async () => {
  const { rows } = await stand.pool.query(
    `select s.symbol, (extract(epoch from ts_exchange) * 1000000)::float8 as ts, agg_trade_id::float8 as id,
       price, qty, is_buyer_maker from marketdata.trades t join marketdata.symbols s on s.id = symbol_id
     order by s.symbol collate "C", ts_exchange, agg_trade_id`,
  )
  const parquet = await readWithDuckDb(
    stand,
    key('trades', 'trades.parquet'),
    (
      file,
    ) => `select symbol, epoch_us(ts_exchange)::double as ts, agg_trade_id::double as id, price, qty,
                 is_buyer_maker from ${file}`,
  )
  expect(parquet).toEqual(rows)
  const csv = ['ADAUSDT', 'BTCUSDT'].flatMap((symbol) => {
    const text = built[key('trades', `binance-futures_trades_${DATE}_${symbol}.csv.gz`)]!
    const [head, ...lines] = gunzipSync(Buffer.from(text, 'base64'))
      .toString()
      .trimEnd()
      .split('\n')
    expect(head).toBe('exchange,symbol,timestamp,local_timestamp,id,side,price,amount')
    return lines.map((line) => line.split(','))
  })
  expect(
    csv.map(([, symbol, ts, , id, side, price, qty]) => ({
      symbol,
      ts: Number(ts),
      id: Number(id),
      price: Number(price),
      qty: Number(qty),
      is_buyer_maker: side === 'sell',
    })),
  ).toEqual(rows)
})

test('quotes in CSV: no exponents, ask before bid', () => {
  const text = built[key('quotes', `binance-futures_quotes_${DATE}_BTCUSDT.csv.gz`)]!
  const [head, first] = gunzipSync(Buffer.from(text, 'base64')).toString().split('\n')
  expect(head).toBe(
    'exchange,symbol,timestamp,local_timestamp,ask_amount,ask_price,bid_price,bid_amount',
  )
  expect(first).toBe(
    `binance-futures,BTCUSDT,${at(0.000_001)},${at(0.000_001)},0.0000001,101,100,1`,
  )
})

test('candles agree with plain SQL over the raw rows, and a gap is marked', async () => {
  const { rows } = await stand.pool.query(
    `select s.symbol, (extract(epoch from date_bin('5 minutes', ts_exchange, 'epoch')) * 1000000)::float8 as ts,
       (array_agg(price order by ts_exchange, agg_trade_id))[1] as open, max(price) as high, min(price) as low,
       (array_agg(price order by ts_exchange desc, agg_trade_id desc))[1] as close, sum(qty) as volume,
       count(*)::float8 as trade_count, sum(price * qty) / sum(qty) as vwap
     from marketdata.trades t join marketdata.symbols s on s.id = symbol_id group by 1, 2 order by 1, 2`,
  )
  const candles = await readWithDuckDb(
    stand,
    key('candles', 'candles.parquet'),
    (file) => `select symbol, epoch_us(ts)::double as ts, open, high, low, close, volume,
                 trade_count::double as trade_count, vwap from ${file}
               where interval_s = 300 and trade_count > 0 order by symbol, ts`,
  )
  expect(candles).toEqual(rows)
  const marked = await readWithDuckDb(
    stand,
    key('candles', 'candles.parquet'),
    (file) => `select symbol, interval_s::int as s, missing_s::int as missing_s from ${file}
               where symbol = 'BTCUSDT' and ts = timestamptz '2024-08-09 00:01:00Z' and interval_s = 60`,
  )
  expect(marked).toEqual([{ symbol: 'BTCUSDT', s: 60, missing_s: 31 }])
})

test('the manifest says what is missing, per symbol and stream', async () => {
  const { coverage, files, row_count } = await manifestOf(stand, 'trades')
  expect(row_count).toBe(100)
  expect(files.filter(({ format }) => format === 'csv.gz').map((file) => file.row_count)).toEqual([
    20, 80,
  ])
  // The exchange's last event is in second 3564; the gap touches 31 seconds of BTCUSDT.
  expect(
    coverage.map(({ symbol, row_count: rows, present_s, gap_count }) => [
      symbol,
      rows,
      present_s,
      gap_count,
    ]),
  ).toEqual([
    ['ADAUSDT', 20, 3_565, 0],
    ['BTCUSDT', 80, 3_565 - 31, 1],
    ['龙USDT', 0, 3_565 - 2, 0],
  ])
  const quotes = await manifestOf(stand, 'quotes')
  expect(quotes.coverage.map((symbol) => [symbol.row_count, symbol.gap_count])).toEqual([
    [0, 0],
    [150, 1],
    [50, 0],
  ])
})

test('another database, another order, another source: the same bytes', async () => {
  const other = await createStand()
  await load(other, true)
  expect(await build(other).then(() => bytesOf(other))).toEqual(built)
  await archive(other)
  await other.pool.query(
    'drop table marketdata.trades_2024080900, marketdata.book_ticker_2024080900',
  )
  await build(other)
  expect(await bytesOf(other)).toEqual(built)
})

test('a late trade of an archived hour: a new version, both jobs are due again, the manifest names it', async () => {
  await stand.features(DATE)
  await archive(stand)
  expect(await selectStaleDays(stand.pool, stand.store, NOON)).toEqual([])
  await insertTrades(stand.pool, [
    { symbol: 'BTCUSDT', ts: at(5), id: 1_000, price: 200, qty: 1, is_buyer_maker: false },
  ])
  await stand.pool.query(
    `insert into marketdata.invalidations (consumer, table_name, symbol_id, lowest, greatest)
     select 'archive', 'trades', id, $1, $1 from marketdata.symbols where symbol = 'BTCUSDT'`,
    [new Date(at(5) / 1e3)],
  )
  await archive(stand)
  const hour = {
    exchange: 'binance-futures',
    table_name: 'trades',
    hour: '2024-08-09T00:00:00.000000Z',
    version: 2,
  }
  const why = 'binance-futures trades 2024-08-09T00:00:00.000000Z now has version 2'
  expect(await selectStaleDays(stand.pool, stand.store, NOON)).toEqual([
    { job: 'features', date: DATE, why },
    { job: 'datasets', date: DATE, why },
  ])
  await build(stand)
  await stand.features(DATE)
  expect(await selectStaleDays(stand.pool, stand.store, NOON)).toEqual([])
  const { inputs, row_count } = await manifestOf(stand, 'trades')
  const candles = await manifestOf(stand, 'candles')
  expect([inputs!.revised_hours, row_count]).toEqual([[hour], 101])
  const high = await readWithDuckDb(
    stand,
    publishedKey(candles, 'candles.parquet'),
    (file) => `select high from ${file} where symbol = 'BTCUSDT' and interval_s = 86400`,
  )
  expect(high).toEqual([{ high: 200 }])
})

test('a row that arrived between the build and the first archive of its hour is not lost either', async () => {
  const other = await createStand()
  await load(other, false)
  await build(other)
  await insertTrades(other.pool, [
    { symbol: 'ADAUSDT', ts: at(6), id: 1_000, price: 200, qty: 1, is_buyer_maker: false },
  ])
  await archive(other)
  // The jobs of this test ran in 2024, so the archive's clock is set back to theirs.
  await other.pool.query('update marketdata.archive set archived_at = $1', [new Date(NOON + 1)])
  expect(await selectStaleDays(other.pool, other.store, NOON)).toEqual([
    {
      job: 'datasets',
      date: DATE,
      why: 'the archive holds 1 rows that arrived after the build of candles',
    },
  ])
  await build(other)
  expect((await manifestOf(other, 'trades')).row_count).toBe(101)
  expect(await selectStaleDays(other.pool, other.store, NOON)).toEqual([])
})
