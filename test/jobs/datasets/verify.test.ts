/** A correct day has no findings; each way to corrupt one has its own. */
import { join } from 'node:path'
import { gunzipSync, gzipSync } from 'node:zlib'
import { afterEach, expect, test } from 'vitest'
import type { DatasetFile, Manifest } from '#core/dataset.ts'
import { silentLogger } from '#core/node/log.ts'
import { datasetFileKey, MANIFEST_FILE, manifestKey } from '#core/object-keys.ts'
import { parseDay } from '#core/time.ts'
import { LABELS_1S } from '#core/features.ts'
import { describeFile } from '../../../jobs/datasets/files/describe-file.ts'
import { encodePart } from '../../../jobs/datasets/files/part.ts'
import { createPartsParquet } from '../../../jobs/datasets/files/parts-parquet.ts'
import { runDatasets } from '../../../jobs/datasets/run-datasets.ts'
import { runVerify, type VerifyResult } from '../../../jobs/datasets/verify/run-verify.ts'
import { readManifest, versionOf } from '../../support/published.ts'
import { insertGap, insertQuotes, insertSymbols, insertTrades } from '../market.ts'
import { createStand, NOON } from '../stand.ts'

const MIDNIGHT = Date.parse('2024-08-09T00:00:00Z') * 1_000
const DATE = parseDay('2024-08-09')!
const stand = await createStand()
const { pool, store } = stand
const SYMBOLS = ['ADAUSDT', 'BTCUSDT']
await insertSymbols(pool, SYMBOLS)
for (const [place, symbol] of SYMBOLS.entries()) {
  const times = Array.from({ length: 300 }, (_, i) => MIDNIGHT + place + i * 700_001)
  await insertQuotes(
    pool,
    times.map((ts, i) => ({ symbol, ts, id: i + 1, bid: 10, bid_qty: 1, ask: 11, ask_qty: 1 })),
  )
  await insertTrades(
    pool,
    // The last one is large: a signal.
    times.map((ts, i) => {
      return { symbol, ts, id: i + 1, price: 10, qty: i === 299 ? 200 : 1, is_buyer_maker: false }
    }),
  )
}
const gap = {
  symbol: 'BTCUSDT',
  channel: 'trades',
  from_ts: MIDNIGHT + 60e6,
  to_ts: MIDNIGHT + 90e6,
} as const
await insertGap(pool, gap)
const work_dir = join(stand.dir, 'work')
await stand.features(DATE)
await runDatasets({ pool, store, date: DATE, work_dir, log: silentLogger, now: () => NOON })

/** Original bytes of what a test corrupts. */
const originals = new Map<string, Uint8Array>()
async function corrupt(key: string, bytes: Uint8Array | string): Promise<void> {
  if (!originals.has(key)) originals.set(key, (await store.get(key)) ?? new Uint8Array())
  await store.put(key, bytes, 'application/octet-stream')
}
async function restore(): Promise<void> {
  for (const [key, bytes] of originals) {
    if (bytes.length === 0) await store.delete(key)
    else await store.put(key, bytes, 'application/octet-stream')
  }
  originals.clear()
}
afterEach(restore)

const verify = (dataset: string): Promise<VerifyResult> =>
  runVerify({ pool, store, dataset, date: DATE, work_dir, log: silentLogger, now: Date.now })
const findings = async (dataset: string): Promise<readonly string[]> =>
  (await verify(dataset)).findings.map(({ file, sentence }) => `${file}: ${sentence}`)
const DATASETS = [
  'features_1s',
  'labels_1s',
  'candles',
  'trades',
  'quotes',
  'bars',
  'labels_barrier',
  'signals',
]
const builds = new Map<string, string | undefined>()
for (const dataset of DATASETS) {
  builds.set(dataset, (await readManifest(store, dataset, versionOf(dataset), DATE))!.build)
}
const keyOf = (dataset: string, file: string): string => {
  const of_dataset = { dataset, schema_version: versionOf(dataset) }
  if (file === MANIFEST_FILE) return manifestKey(dataset, of_dataset.schema_version, DATE)
  return datasetFileKey({ ...of_dataset, build: builds.get(dataset) }, DATE, file)
}
const read = async (key: string): Promise<Buffer> => Buffer.from((await store.get(key))!)

async function changeManifest(
  dataset: string,
  change: (manifest: Manifest) => Manifest,
): Promise<void> {
  const key = keyOf(dataset, 'manifest.json')
  await corrupt(key, JSON.stringify(change(JSON.parse(String(await read(key))) as Manifest)))
}

/** Replaces a file, and makes the manifest match its size and sha256. */
async function replaceFile(
  dataset: string,
  file: DatasetFile,
  path: string,
  bytes: Uint8Array,
): Promise<void> {
  await corrupt(keyOf(dataset, path), bytes)
  await changeManifest(dataset, (manifest) => ({
    ...manifest,
    files: manifest.files.map((one) => (one.name === path ? file : one)),
  }))
}

for (const dataset of DATASETS) {
  test(`${dataset}: every file of a published day is right`, async () => {
    const { findings: found, file_count, row_count } = await verify(dataset)
    expect(found).toEqual([])
    expect(file_count).toBe(dataset === 'trades' || dataset === 'quotes' ? 4 : 3)
    // The first hour of trades has no bars, and a minute of quotes no events.
    if (dataset !== 'bars' && dataset !== 'labels_barrier') expect(row_count).toBeGreaterThan(0)
  })
}

test('a flipped byte is reported, whatever it does to the file', async () => {
  for (const [dataset, file] of [
    ['features_1s', 'features_1s.parquet'],
    ['features_1s', 'features_1s.arrow'],
    ['trades', `binance-futures_trades_${DATE}_BTCUSDT.csv.gz`],
    ['trades', 'coverage.parquet'],
  ] as const) {
    const bytes = await read(keyOf(dataset, file))
    bytes[bytes.length >> 1]! ^= 0x40
    await corrupt(keyOf(dataset, file), bytes)
    expect((await findings(dataset))[0]).toMatch(
      new RegExp(`^${file}: Its sha256 is [0-9a-f]{64}, but `),
    )
    await restore()
  }
})

test('a missing file, and a file that the manifest does not name', async () => {
  const key = keyOf('candles', 'candles.arrow')
  originals.set(key, await read(key))
  await store.delete(key)
  await corrupt(keyOf('candles', 'old.parquet'), 'left')
  expect(await findings('candles')).toEqual([
    'old.parquet: It is in the folder, but the manifest does not name it.',
    'candles.arrow: It is not in the store.',
  ])
})

test('rows out of order, a null where none is allowed, values that differ from Arrow', async () => {
  const path = join(stand.dir, 'labels_1s.parquet')
  const identity = { dataset: 'labels_1s', schema_version: versionOf('labels_1s'), date: DATE }
  const file = await createPartsParquet(path, LABELS_1S, identity)
  const { coverage } = JSON.parse(
    String(await read(keyOf('labels_1s', 'manifest.json'))),
  ) as Manifest
  for (const { exchange, symbol, row_count } of coverage) {
    // The second row repeats the time of the first; labels are all 0.
    const ts = BigInt64Array.from({ length: row_count }, (_, i) =>
      BigInt(MIDNIGHT + Math.max(0, i - 1) * 1e6),
    )
    const columns = Object.fromEntries(
      LABELS_1S.slice(3).map(({ name }) => [name, new Float64Array(row_count)]),
    )
    const rows = { exchange, symbol, ts, columns }
    await file.append(rows, [encodePart(LABELS_1S, rows, { exchange: 0, symbol: 0 })])
  }
  await file.finish()
  await file.close()
  const total = coverage.reduce((sum, { row_count }) => sum + row_count, 0)
  const described = await describeFile(stand.dir, 'labels_1s.parquet', 'parquet', total)
  const { readFile } = await import('node:fs/promises')
  await replaceFile('labels_1s', described, 'labels_1s.parquet', await readFile(path))
  expect(await findings('labels_1s')).toEqual([
    'labels_1s.parquet: Row group 0: row 1 is out of order (ts).',
    'labels_1s.parquet: Row group 1: row 1 is out of order (ts).',
    ...['ts', ...LABELS_1S.slice(3).map(({ name }) => name)].map(
      (name) => `labels_1s.arrow: ${name} differs from the Parquet file.`,
    ),
  ])
})

test('a CSV file that lacks a row, with a manifest that matches its bytes', async () => {
  const name = `binance-futures_trades_${DATE}_BTCUSDT.csv.gz`
  const lines = gunzipSync(await read(keyOf('trades', name)))
    .toString()
    .trimEnd()
    .split('\n')
  const bytes = gzipSync(`${lines.toSpliced(5, 1).join('\n')}\n`)
  const { writeFile } = await import('node:fs/promises')
  await writeFile(join(stand.dir, name), bytes)
  await replaceFile('trades', await describeFile(stand.dir, name, 'csv.gz', 300), name, bytes)
  expect(await findings('trades')).toEqual([
    `${name}: It has 299 rows, but the manifest says 300.`,
    `${name}: It has 299 rows, but the Parquet file has 300 of BTCUSDT.`,
  ])
})

test('columns that the file does not have, counts that do not add up', async () => {
  await changeManifest('quotes', (manifest) => ({
    ...manifest,
    row_count: 601,
    columns: manifest.columns.map((column) =>
      column.name === 'best_bid' ? { ...column, name: 'bid', type: 'int64' } : column,
    ),
  }))
  expect(await findings('quotes')).toEqual([
    'manifest.json: Its symbols have 600 rows in total, but it says 601.',
    expect.stringMatching(
      /^quotes\.parquet: Its columns are .*best_bid.*; the manifest says .* bid, /,
    ),
  ])
})

test('a manifest of another day, and an invalid one', async () => {
  await changeManifest('candles', (manifest) => ({ ...manifest, date: '2024-08-10' }))
  expect((await findings('candles'))[0]).toBe(
    'manifest.json: It says date 2024-08-10, but its key says 2024-08-09.',
  )
  await corrupt(keyOf('candles', 'manifest.json'), '{')
  expect(await findings('candles')).toEqual(['manifest.json: It is not JSON.'])
})

test('a gap that was repaired since the build, and one that was found since', async () => {
  await pool.query('update marketdata.gaps set repaired_at = now()')
  await insertGap(pool, { ...gap, channel: 'book_ticker' })
  const times = `${gap.from_ts} ${gap.to_ts} disconnect`
  expect(await findings('trades')).toEqual([
    `coverage.parquet: BTCUSDT, book_ticker: it lacks a gap of the ledger (${times} open).`,
    `coverage.parquet: BTCUSDT, trades: it lacks a gap of the ledger (${times} repaired).`,
    `coverage.parquet: BTCUSDT, trades: it has a gap that the ledger lacks (${times} open).`,
  ])
})

test('a day that is not published', async () => {
  await expect(verify('features_100ms')).rejects.toMatchObject({ code: 'not_published' })
})

test('an unfinished day whose gap has ended since, with one that was noticed later', async () => {
  const at = (second: number): string => new Date(MIDNIGHT / 1_000 + second * 1_000).toISOString()
  await pool.query(
    `insert into marketdata.tape_positions (ingestor_id, tape_id, tape_position, covered_until)
     values ('a', 'tape', 0, '2100-01-01')`,
  )
  await pool.query(
    `insert into marketdata.stream_offsets (ingestor_id, symbol_id, channel, last_id, ts_exchange,
       ts_ingest, began_ts, deaf_cause, lost_ts, lost_at)
     select 'a', id, 'trades', 100, $1, $1, $2, 'silence', $1, $1
     from marketdata.symbols where symbol = 'ADAUSDT'`,
    [at(100), at(0)],
  )
  await stand.features(DATE, { now: () => Date.parse(at(300)) })
  const { gaps, to_ts } = (await readManifest(
    store,
    'features_1s',
    versionOf('features_1s'),
    DATE,
  ))!.coverage[0]!
  expect(gaps).toMatchObject([{ channel: 'trades', to_ts: null, cause: 'silence' }])
  expect(await findings('features_1s')).toEqual([])

  await pool.query('delete from marketdata.stream_offsets')
  const end = (channel: string, from_s: number, to_s: number, noticed: string): Promise<unknown> =>
    pool.query(
      `insert into marketdata.gaps (symbol_id, channel, from_ts, to_ts, from_id, to_id, cause,
         detected_at, repaired_at)
       select id, $1, $2, $3, 100, 130, 'silence', $4, now()
       from marketdata.symbols where symbol = 'ADAUSDT'`,
      [channel, at(from_s), at(to_s), noticed],
    )
  await end('trades', 100, 130, at(100))
  await end('book_ticker', 205, 230, at(240))
  expect(Date.parse(to_ts)).toBeLessThan(Date.parse(at(240)))
  expect(await findings('features_1s')).toEqual([])

  await end('book_ticker', 50, 60, at(60))
  expect(await findings('features_1s')).toEqual([
    `coverage.parquet: ADAUSDT, book_ticker: it lacks a gap of the ledger ` +
      `(${MIDNIGHT + 50e6} ${MIDNIGHT + 60e6} silence repaired).`,
  ])
})
