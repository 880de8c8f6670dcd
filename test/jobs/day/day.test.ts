/**
 * Runs the whole job over every stream, with the rows in Postgres, in the archive or in both, in
 * one thread or several. The bytes are always the same.
 */
import { join } from 'node:path'
import { expect, test } from 'vitest'
import type { Manifest } from '#core/dataset.ts'
import { silentLogger } from '#core/node/log.ts'
import { HOUR_US, micros, parseDay, toIso } from '#core/time.ts'
import type { TableHour } from '../../../jobs/archive/records.ts'
import { runArchive } from '../../../jobs/archive/run-archive.ts'
import { type DatasetsOptions, runDatasets } from '../../../jobs/datasets/run-datasets.ts'
import type { FeaturesOptions, FeaturesResult } from '../../../jobs/datasets/run-features.ts'
import { withDay } from '../../../jobs/day/day.ts'
import { randomNumbers } from '../features/random.ts'
import {
  insertDepth,
  insertGap,
  insertLiquidations,
  insertMarks,
  insertQuotes,
  insertSymbols,
  insertTrades,
  type DepthEventRow,
} from '../market.ts'
import { createStand, NOON, readWithDuckDb, type Stand } from '../stand.ts'

const MIDNIGHT = Date.parse('2024-08-09T00:00:00Z') * 1_000
const SYMBOLS = ['ADAUSDT', 'BTCUSDT', 'ZECUSDT']
/** Ten minutes of the day before; the day itself lasts 1 h, with a quiet time in between. */
const SPANS = [
  [-600, -1],
  [0, 700],
  [3_500, 3_900],
] as const
const TABLES = ['book_ticker', 'trades', 'depth_events', 'mark_price', 'liquidations'] as const

async function load(stand: Stand): Promise<void> {
  const { pool } = stand
  await insertSymbols(pool, SYMBOLS)
  for (const [i, symbol] of SYMBOLS.entries()) await loadSymbol(stand, symbol, randomNumbers(i + 1))
  const gap = { symbol: 'BTCUSDT', from_ts: MIDNIGHT + 100.2e6, to_ts: MIDNIGHT + 130.7e6 }
  for (const channel of ['book_ticker', 'mark_price', 'liquidations'] as const) {
    await insertGap(pool, { ...gap, channel })
  }
}

async function loadSymbol({ pool }: Stand, symbol: string, random: () => number): Promise<void> {
  const times = SPANS.flatMap(([from, to]) =>
    Array.from(
      { length: (to - from) * 2 },
      (_, i) => MIDNIGHT + Math.round((from + i / 2 + random() / 2) * 1e6),
    ),
  )
  let bid = 1_000
  const quotes = times.map((ts, id) => {
    bid += (Math.floor(random() * 3) - 1) / 8
    const ask = bid + (random() < 0.9 ? 0.125 : 0.25)
    return {
      symbol,
      ts,
      id: id + 1,
      bid,
      bid_qty: 1 + random() * 9,
      ask,
      ask_qty: 1 + random() * 9,
    }
  })
  await insertQuotes(pool, quotes)
  const trades = times
    .filter(() => random() < 0.4)
    .map((ts, id) => ({
      symbol,
      ts,
      id: id + 1,
      price: 1_000,
      qty: 0.1 + random(),
      is_buyer_maker: random() < 0.5,
    }))
  await insertTrades(pool, trades)
  await insertDepth(pool, depthRows(symbol, times, random))
  const seconds = times.filter((_, i) => i % 2 === 0)
  await insertMarks(
    pool,
    seconds.map((ts) => ({
      symbol,
      ts,
      mark: 1_001,
      index: symbol === 'ZECUSDT' ? null : 1_000,
      funding: 0.0001,
    })),
  )
  if (symbol !== 'BTCUSDT') return
  await insertLiquidations(
    pool,
    seconds
      .filter(() => random() < 0.05)
      .map((ts, i) => ({
        symbol,
        ts,
        side: i % 2 === 0 ? 'buy' : 'sell',
        qty: 0.5 + random(),
      })),
  )
}

/**
 * Snapshots every 5 minutes. ZEC lacks the diff at 60 s, so its book waits for the next snapshot.
 */
function depthRows(
  symbol: string,
  times: readonly number[],
  random: () => number,
): readonly DepthEventRow[] {
  const side = (from: number, step: number): string =>
    `{${Array.from({ length: 12 }, (_, k) => `{${from + step * k},${1 + Math.floor(random() * 9)}}`).join(',')}}`
  return times.flatMap((ts, i): readonly DepthEventRow[] => {
    const id = 10 * (i + 1)
    const place = 999 - Math.floor(random() * 12)
    const diff = {
      symbol,
      ts,
      kind: 'diff',
      before: id - 10,
      id,
      bids: `{{${place},${1 + Math.floor(random() * 9)}}}`,
      asks: random() < 0.5 ? '{}' : `{{${2_000 - place},${1 + Math.floor(random() * 9)}}}`,
    } as const
    const snapshot = {
      symbol,
      ts: ts + 2_000,
      kind: 'snapshot',
      before: null,
      id,
      bids: side(999, -1),
      asks: side(1_001, 1),
    } as const
    const is_lost = symbol === 'ZECUSDT' && ts > MIDNIGHT + 60e6 && ts < MIDNIGHT + 61e6
    return [...(is_lost ? [] : [diff]), ...(i % 600 === 10 ? [snapshot] : [])]
  })
}

const stand = await createStand()
await load(stand)

const build = async (
  where: Stand,
  options: Partial<FeaturesOptions> = {},
): Promise<{ readonly result: FeaturesResult; readonly manifests: readonly Manifest[] }> => {
  const with_100ms = { symbols_100ms: ['BTCUSDT'], ...options }
  const result = await where.features('2024-08-09', with_100ms)
  const manifests = await Promise.all(
    result.sets.map(async ({ files }) => {
      const bytes = await where.store.get(files[0]!.key.replace(/build=.*$/, 'manifest.json'))
      return JSON.parse(Buffer.from(bytes!).toString()) as Manifest
    }),
  )
  return { result, manifests }
}
const archive = (hours?: readonly TableHour[]): Promise<unknown> =>
  runArchive({
    pool: stand.pool,
    store: stand.store,
    codec: 'zstd',
    work_dir: stand.dir,
    now: () => NOON,
    log: silentLogger,
    ...(hours === undefined ? {} : { hours }),
  })
const hoursFrom = (first: number, count: number): readonly TableHour[] =>
  TABLES.flatMap((table_name) =>
    Array.from({ length: count }, (_, i) => ({
      table_name,
      hour: micros(MIDNIGHT + (first + i) * HOUR_US),
    })),
  )

await stand.features('2024-08-08')
const first = await build(stand)
const [features, labels, features_100ms] = first.result.sets
const query = (set: typeof features, sql: string): ReturnType<typeof readWithDuckDb> =>
  readWithDuckDb(stand, set!.files[0]!.key, (file) => sql.replaceAll('FILE', file))

test('every stream: carried in at midnight, null where it was not recorded', async () => {
  expect(first.result.sets.map(({ dataset }) => dataset)).toEqual([
    'features_1s',
    'labels_1s',
    'features_100ms',
  ])
  const rows = await query(
    features,
    `select symbol, count(*)::int as n, count(mid_close)::int as quoted, count(i10)::int as booked,
       count(mark_price)::int as marked, count(index_price)::int as indexed, count(liquidation_count)::int as liquidated,
       min(mark_index_basis_bps) as basis, max(funding_rate) as funding,
       count(microprice_stoikov) > 3000 as priced, count(mlofi_integrated) > 100 as integrated, count(vpin) > 100 as toxic
     from FILE group by symbol order by symbol`,
  )
  const all = { n: 3_900, priced: true, integrated: true, toxic: true, funding: 0.0001 }
  // Exactly the basis of a mark price of 1,001 over an index of 1,000.
  const basis = 10
  expect(rows).toEqual([
    {
      symbol: 'ADAUSDT',
      ...all,
      quoted: 3_900,
      booked: 3_900,
      marked: 3_900,
      indexed: 3_900,
      liquidated: 3_900,
      basis,
    },
    {
      symbol: 'BTCUSDT',
      ...all,
      quoted: 3_899,
      booked: 3_900,
      marked: 3_899,
      indexed: 3_899,
      liquidated: 3_869,
      basis,
    },
    {
      symbol: 'ZECUSDT',
      ...all,
      quoted: 3_900,
      booked: expect.toSatisfy((n: number) => n > 3_500 && n < 3_850),
      marked: 3_900,
      indexed: 0,
      liquidated: 3_900,
      basis: null,
    },
  ])
})

test('features_100ms agrees with features_1s at the same times', async () => {
  const fine = await query(
    features_100ms!,
    `select epoch_us(ts + interval '100 ms' - interval '1 s')::double as ts, mid_close, i10, quote_age_s, microprice_stoikov
     from FILE where (epoch_us(ts) + 100000) % 1000000 = 0 order by ts`,
  )
  const coarse = await query(
    features,
    `select epoch_us(ts)::double as ts, mid_close, i10, quote_age_s, microprice_stoikov
     from FILE where symbol = 'BTCUSDT' order by ts`,
  )
  expect(fine.length).toBeGreaterThan(3_890)
  expect(fine).toEqual(coarse.slice(0, fine.length))
  const sums = async (set: typeof features): Promise<unknown> =>
    (
      await query(
        set,
        "select sum(trade_count)::int as trades, sum(depth_update_count)::int as updates from FILE where symbol = 'BTCUSDT'",
      )
    )[0]
  expect(await sums(features_100ms!)).toEqual(await sums(features))
})

test('labels have the same rows as the features they belong to', async () => {
  const [row] = await query(
    labels!,
    `select count(*)::int as n, count(forward_log_return_60s)::int as known from FILE where symbol = 'ADAUSDT'`,
  )
  expect(row).toEqual({ n: 3_900, known: 3_840 })
})

test('the manifest names the fit that was used, and on the first day says that there was none', async () => {
  const { inputs } = first.manifests[0]!
  const fit = (await stand.store.get(inputs!.fit!.key))!
  expect(inputs!.fit!.key).toBe('models/features/v3/date=2024-08-08/fit.json')
  expect(
    (JSON.parse(Buffer.from(fit).toString()) as { symbols: { symbol: string }[] }).symbols.map(
      ({ symbol }) => symbol,
    ),
  ).toEqual(SYMBOLS)
  const bytes = await stand.store.get('datasets/features_1s/v4/date=2024-08-08/manifest.json')
  expect((JSON.parse(Buffer.from(bytes!).toString()) as Manifest).inputs).toEqual({
    fit: null,
    revised_hours: [],
    ledger_sha256: expect.stringMatching(/^[0-9a-f]{64}$/),
  })
})

test('an invalid fit is refused before anything is built', async () => {
  const key = 'models/features/v3/date=2024-08-08/fit.json'
  const good = (await stand.store.get(key))!
  await stand.store.put(
    key,
    '{"fit_version":1,"date":"2024-08-08","symbols":[{}]}',
    'application/json',
  )
  await expect(stand.features('2024-08-09')).rejects.toMatchObject({ code: 'fit_corrupt' })
  await stand.store.put(key, good, 'application/json')
})

for (const thread_count of [1, 3]) {
  test(`${thread_count} threads give the same bytes as none`, async () => {
    expect(await build(stand, { thread_count })).toEqual(first)
  })
}

test('an aborted run in threads publishes nothing and says why', async () => {
  const stopping = new AbortController()
  const run = stand.features('2024-08-09', {
    thread_count: 2,
    signal: stopping.signal,
    onProgress: () => stopping.abort(new Error('cancelled')),
  })
  await expect(run).rejects.toThrow('cancelled')
  expect(await stand.store.list('tmp/')).toEqual([])
})

test('an error in a thread ends the run with its own message', async () => {
  const broken = { ...stand.store, config: { ...stand.store.config, secret_access_key: 'wrong' } }
  await archive(hoursFrom(1, 1))
  await expect(stand.features('2024-08-09', { thread_count: 2, store: broken })).rejects.toThrow(
    /signature/i,
  )
})

test('some hours from the archive and some from Postgres: the same bytes', async () => {
  expect(await build(stand, { thread_count: 2 })).toEqual(first)
  await archive(hoursFrom(-1, 1))
  expect(await build(stand)).toEqual(first)
})

/** The last build that was not compared with another one. */
let newest: Awaited<ReturnType<typeof build>> | undefined

test('a late row counts at once, before and after it is archived, and the manifest names it', async () => {
  await archive()
  const ts = MIDNIGHT + 10.5e6
  await insertTrades(stand.pool, [
    { symbol: 'ADAUSDT', ts, id: 1e6, price: 1_000, qty: 1, is_buyer_maker: true },
  ])
  await stand.pool.query(
    `insert into marketdata.invalidations (consumer, table_name, symbol_id, lowest, greatest)
     select 'archive', 'trades', id, $1, $1 from marketdata.symbols where symbol = 'ADAUSDT'`,
    [toIso(micros(ts))],
  )
  const late = await build(stand)
  expect(late.manifests[0]!.coverage[0]!.trade_count).toBe(
    first.manifests[0]!.coverage[0]!.trade_count + 1,
  )
  expect(late.manifests[0]!.inputs!.revised_hours).toEqual([])
  await archive()
  const revised = await build(stand)
  newest = revised
  expect(revised.result).toEqual(late.result)
  expect(revised.manifests[0]!.inputs!.revised_hours).toEqual([
    {
      exchange: 'binance-futures',
      table_name: 'trades',
      hour: '2024-08-09T00:00:00.000000Z',
      version: 2,
    },
  ])
})

test('everything from the archive, with nothing left in Postgres: the same bytes', async () => {
  const before = newest ?? (await build(stand))
  for (const table of TABLES) await stand.pool.query(`truncate marketdata.${table}`)
  expect(await build(stand)).toEqual(before)
  expect(await build(stand, { thread_count: 2 })).toEqual(before)
  // The day before as well: its fit for this day is the same.
  await stand.features('2024-08-08')
  expect(await build(stand)).toEqual(before)
})

function marketJob(): DatasetsOptions {
  return {
    pool: stand.pool,
    store: stand.store,
    date: parseDay('2024-08-09')!,
    work_dir: join(stand.dir, 'work'),
    log: silentLogger,
    now: () => NOON,
  }
}

const IN_TRANSACTION = `from pg_stat_activity
  where datname = current_database() and state like 'idle in transaction%'`

for (const job of ['features', 'datasets'] as const) {
  test(`${job}: archived hours are read without a transaction, which may not be idle`, async () => {
    const counts: number[] = []
    let is_building = false
    const store: Stand['store'] = {
      ...stand.store,
      async readRange(...range) {
        if (is_building) {
          const { rows } = await stand.pool.query<{ n: number }>(
            `select count(*)::int as n ${IN_TRANSACTION}`,
          )
          counts.push(rows[0]!.n)
        }
        return stand.store.readRange(...range)
      },
    }
    const watched = { store, onProgress: (): void => void (is_building = true) }
    if (job === 'features') await stand.features('2024-08-09', watched)
    else await runDatasets({ ...marketJob(), ...watched })
    expect(counts.length).toBeGreaterThan(0)
    expect(new Set(counts)).toEqual(new Set([0]))
  })
}

test('a connection that the server ended after the last read loses nothing', async () => {
  const { pool, store } = stand
  await insertSymbols(pool, ['LTCUSDT'])
  const ts = MIDNIGHT + 3_000e6
  await insertTrades(pool, [
    { symbol: 'LTCUSDT', ts, id: 1, price: 60, qty: 1, is_buyer_maker: true },
  ])
  const count = await withDay({ pool, store }, parseDay('2024-08-09')!, async ({ symbols }) => {
    await pool.query(`select pg_terminate_backend(pid) ${IN_TRANSACTION}`)
    return symbols.length
  })
  expect(count).toBe(SYMBOLS.length)
  await expect(pool.query('select 1')).resolves.toMatchObject({ rowCount: 1 })
})
