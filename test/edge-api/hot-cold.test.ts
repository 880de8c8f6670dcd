/**
 * Ranges over the archive's boundary: real Postgres, gateway and object store. The same query must
 * give the same rows wherever they lie.
 */
import { mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterEach, beforeAll, expect, test, vi } from 'vitest'
import { silentLogger } from '#core/node/log.ts'
import { RAW_CHANNELS } from '#core/tables.ts'
import { fromMillis, toIso } from '#core/time.ts'
import { composeApp } from '../../edge-api/compose.ts'
import { runArchive } from '../../jobs/archive/run-archive.ts'
import { archiveHour, dropHour } from '../support/archive-hours.ts'
import { is_long } from '../support/long.ts'
import { fillHour } from '../support/market-hours.ts'
import { readContract, type Ask, type Contract } from './contract.ts'
import { addSymbol, startEdge } from './support.ts'

const edge = await startEdge()
const reported: unknown[] = []
const NOW = '2024-08-09T00:30:00Z'
const app = composeApp(edge.bindings, {
  now: () => fromMillis(Date.parse(NOW)),
  report: (error) => reported.push(error),
})
const ask: Ask = async (path, init) => app.request(path, init)
let contract: Contract

/** Rows an hour, symbol and table. */
const ROWS_PER_HOUR = 40
const SYMBOLS = ['AAAUSDT', 'BTCUSDT', '币安人生USDT']

type Answer = Readonly<Record<string, unknown>> & {
  readonly next: string | null
  readonly rows: readonly Record<string, unknown>[]
}

async function page(path: string): Promise<Answer> {
  const response = await ask(path)
  expect([
    path,
    response.status,
    response.status === 200 ? '' : await response.clone().text(),
  ]).toEqual([path, 200, ''])
  return (await contract.check(path, response)) as Answer
}

/** All rows of a range, from all pages. */
async function all(path: string): Promise<readonly Record<string, unknown>[]> {
  const rows: Record<string, unknown>[] = []
  for (let next: string | null = path; next !== null;) {
    const answer: Answer = await page(next)
    rows.push(...answer.rows)
    next = answer.next
  }
  return rows
}

/** Hours of a day, in which rows of every table lie. */
async function day(date: string, symbols = SYMBOLS): Promise<readonly string[]> {
  const hours = [21, 22, 23].map((hour) => `${date}T${hour}:00:00Z`)
  for (const symbol of symbols) {
    const { rows } = await edge.pool.query<{ id: string }>(
      'select id from marketdata.symbols where symbol = $1',
      [symbol],
    )
    for (const hour of hours) await fillHour(edge.pool, Number(rows[0]!.id), hour, ROWS_PER_HOUR)
  }
  return hours
}

beforeAll(async () => {
  contract = await readContract(ask)
  for (const symbol of SYMBOLS) await addSymbol(edge.pool, symbol)
})
afterEach(() => vi.restoreAllMocks())

const ROUTES = ['quotes', 'trades', 'depth', 'mark-price', 'liquidations']

test('a query gives the same rows before and after its hours are archived and dropped', async () => {
  const hours = await day('2024-08-08')
  const chinese = encodeURIComponent('币安人生USDT')
  const queries = ROUTES.flatMap((route) => [
    `/v1/${route}/BTCUSDT?from=2024-08-08T20:30:00Z&to=2024-08-09T00:10:00Z`,
    // Pages that end inside a timestamp, a row group and an hour.
    `/v1/${route}/AAAUSDT?from=2024-08-08T21:30:00Z&to=2024-08-08T23:05:00Z&limit=13`,
    `/v1/${route}/${chinese}?from=2024-08-08T22:10:00Z&to=2024-08-08T22:20:00Z&format=json`,
  ])
  const before = new Map<string, readonly Record<string, unknown>[]>()
  for (const path of queries) before.set(path, await all(path))
  expect(before.get(queries[0]!)).toHaveLength(ROWS_PER_HOUR * hours.length)
  const expectSame = async (): Promise<void> => {
    for (const [path, rows] of before) expect([path, await all(path)]).toEqual([path, rows])
  }
  for (const hour of hours) {
    for (const table of RAW_CHANNELS) {
      const archived = await archiveHour(edge.pool, edge.store, table, hour, { group_rows: 9 })
      if (table === 'liquidations' && hour === hours[0]) await expectSame()
      await dropHour(edge.pool, archived)
    }
    await expectSame()
  }
  const left = await edge.pool.query('select 1 from marketdata.book_ticker')
  expect(left.rowCount).toBe(0)
})

test('hours are archived and dropped while the same range is read again and again', async () => {
  const hours = await day('2024-07-01', ['BTCUSDT'])
  const path = '/v1/quotes/BTCUSDT?from=2024-07-01&to=2024-07-02&limit=50'
  const expected = await all(path)
  const moved = { is_done: false }
  const mover = (async () => {
    for (const hour of hours) {
      for (const table of RAW_CHANNELS) {
        await dropHour(edge.pool, await archiveHour(edge.pool, edge.store, table, hour))
      }
    }
    moved.is_done = true
  })()
  let read_count = 0
  while (!moved.is_done) {
    expect(await all(path)).toEqual(expected)
    read_count += 1
  }
  await mover
  expect(await all(path)).toEqual(expected)
  expect(read_count).toBeGreaterThan(2)
})

for (const codec of is_long ? (['zstd', 'snappy', 'gzip'] as const) : (['zstd'] as const)) {
  test(`files that the archive job wrote with ${codec} are read the same`, async () => {
    const date = { zstd: '2024-06-01', snappy: '2024-06-02', gzip: '2024-06-03' }[codec]
    await day(date)
    const queries = ROUTES.map((route) => `/v1/${route}/BTCUSDT?from=${date}&to=${date}T23:30:00Z`)
    const before = await Promise.all(queries.map(all))
    const hour = fromMillis(Date.parse(`${date}T22:00:00Z`))
    const work_dir = await mkdtemp(join(tmpdir(), 'booktape-archive-'))
    await runArchive({
      pool: edge.pool,
      store: edge.store,
      codec,
      work_dir,
      now: () => Date.parse(NOW),
      log: silentLogger,
      hours: RAW_CHANNELS.map((table_name) => ({ table_name, hour })),
    })
    await rm(work_dir, { recursive: true })
    for (const table_name of RAW_CHANNELS) {
      await dropHour(edge.pool, { table_name, hour: toIso(hour) })
    }
    expect(await Promise.all(queries.map(all))).toEqual(before)
  })
}

test('late rows of a dropped hour are merged with those of its file, without duplicates', async () => {
  const [hour] = await day('2024-07-02', ['BTCUSDT'])
  const path = '/v1/trades/BTCUSDT?from=2024-07-02T21:00:00Z&to=2024-07-02T22:00:00Z'
  const expected = await all(path)
  await dropHour(edge.pool, await archiveHour(edge.pool, edge.store, 'trades', hour!))
  await edge.pool.query("select marketdata.ensure_hour('trades', $1)", [hour])
  const { rows } = await edge.pool.query<{ id: string }>(
    "select id from marketdata.symbols where symbol = 'BTCUSDT'",
  )
  const insert = `insert into marketdata.trades (symbol_id, ts_exchange, ts_ingest, agg_trade_id, price, qty, is_buyer_maker)
    values ($1, $2, $2, $3, 5, 1, true)`
  // One row that the file has too, as a repair may find it, and one new row.
  await edge.pool.query(insert, [
    rows[0]!.id,
    expected[4]!['ts_exchange'],
    expected[4]!['agg_trade_id'],
  ])
  await edge.pool.query(insert, [rows[0]!.id, '2024-07-02T21:59:59.999999Z', 77])
  const found = await all(path)
  expect(found.map((row) => row['agg_trade_id'])).toEqual([
    ...expected.map((row) => row['agg_trade_id']),
    77,
  ])
})

test('a closed range has an ETag of its own; a new version of the hour has another', async () => {
  const [hour] = await day('2024-07-03', ['BTCUSDT'])
  const path = '/v1/quotes/BTCUSDT?from=2024-07-03T21:00:00Z&to=2024-07-03T22:00:00Z'
  const open = (await ask(path)).headers
  expect(open.get('cache-control')).toBe('public, max-age=1, stale-while-revalidate=2')
  await archiveHour(edge.pool, edge.store, 'book_ticker', hour!)
  const closed = (await ask(path)).headers
  expect(closed.get('cache-control')).toBe('public, max-age=60')
  expect((await ask(path)).headers.get('etag')).toBe(closed.get('etag'))
  await dropHour(
    edge.pool,
    await archiveHour(edge.pool, edge.store, 'book_ticker', hour!, { version: 2 }),
  )
  const again = (await ask(path)).headers
  expect(again.get('etag')).not.toBe(closed.get('etag'))
  expect((await ask(path)).headers.get('etag')).toBe(again.get('etag'))
  // A range that continues after the archived hour is not closed.
  const longer = await ask(path.replace('22:00', '22:01'))
  expect(longer.headers.get('cache-control')).toContain('max-age=1,')
})

/** Range requests to the object store. */
function watchStore(): readonly string[] {
  const real = globalThis.fetch
  const ranges: string[] = []
  vi.spyOn(globalThis, 'fetch').mockImplementation(async (input, init) => {
    const request = new Request(input as Request, init)
    const range = request.headers.get('range')
    if (range !== null) ranges.push(range)
    return real(request)
  })
  return ranges
}

test('a symbol-hour costs its footer and at most three requests, a second one no footer', async () => {
  const [hour] = await day('2024-07-04')
  const archived = await archiveHour(edge.pool, edge.store, 'depth_events', hour!, {
    group_rows: 5,
  })
  await dropHour(edge.pool, archived)
  const path = '/v1/depth/BTCUSDT?from=2024-07-04T21:00:00Z&to=2024-07-04T22:00:00Z'
  const ranges = watchStore()
  expect((await all(path)).length).toBe(ROWS_PER_HOUR)
  expect(ranges.length).toBeLessThanOrEqual(1 + 3)
  const request_count = ranges.length
  await all(path)
  expect(ranges.length - request_count).toBeLessThanOrEqual(3)
  expect(ranges).toHaveLength(new Set(ranges).size + 1)
})

test('a page of many levels has fewer rows than its limit, and next continues, hot and cold alike', async () => {
  const id = await addSymbol(edge.pool, 'DEEPUSDT')
  const hour = '2024-07-06T21:00:00Z'
  await edge.pool.query("select marketdata.ensure_hour('depth_events', $1)", [hour])
  // 60 changes of 4,000 levels a side: ten pages' worth of one limit.
  await edge.pool.query(
    `insert into marketdata.depth_events
       (symbol_id, ts_exchange, ts_ingest, depth_kind, final_update_id, bids, asks)
     select $1, $2::timestamptz + n * interval '1 second', $2, 'diff', n, side, side
     from generate_series(1, 60) n, lateral (
       select array_agg(array[61800.25 + i, 0.125]) as side from generate_series(1, 4000) i) s`,
    [id, hour],
  )
  const path = '/v1/depth/DEEPUSDT?from=2024-07-06T21:00:00Z&to=2024-07-06T22:00:00Z&limit=10000'
  const hot = await ask(path)
  expect(hot.status).toBe(200)
  expect((await hot.arrayBuffer()).byteLength).toBeLessThan(6 << 20)
  const first = await page(path)
  expect(first.rows.length).toBeLessThan(60)
  const rows = await all(path)
  expect(rows.map((row) => row['final_update_id'])).toEqual(
    Array.from({ length: 60 }, (_, i) => i + 1),
  )
  await dropHour(edge.pool, await archiveHour(edge.pool, edge.store, 'depth_events', hour))
  expect((await page(path)).rows).toEqual(first.rows)
  expect(await all(path)).toEqual(rows)
})

test('a range that is too large for one answer is refused, with what to do instead', async () => {
  const [hour] = await day('2024-07-05', ['BTCUSDT'])
  const archived = await archiveHour(edge.pool, edge.store, 'liquidations', hour!)
  await dropHour(edge.pool, archived)
  // A month of files without the symbol: each has to be opened, and none has a row.
  await edge.pool.query(
    `insert into marketdata.archive (exchange, table_name, hour, version, object_key, row_count,
       byte_count, sha256, checksums, min_ts_exchange, max_ts_exchange, archived_at, table_row_count, dropped_at)
     select exchange, table_name, h, 1, object_key, row_count, byte_count, sha256, checksums,
       min_ts_exchange, max_ts_exchange, archived_at, 0, dropped_at
     from marketdata.archive, generate_series(timestamptz '2024-04-05', '2024-05-05 20:00', '1 hour') h
     where table_name = 'liquidations' and hour = $1`,
    [hour],
  )
  const path = '/v1/liquidations/AAAUSDT?from=2024-04-05&to=2024-05-06&limit=5'
  const response = await ask(path)
  expect(response.status).toBe(400)
  const { type, detail } = await contract.check(path, response)
  expect(type).toBe('urn:booktape:problem:range_too_large')
  const reached = /to=(\S+),/.exec(String(detail))?.[1]
  expect(reached).toBe('2024-04-07T00:00:00.000000Z')
  expect(await all(`/v1/liquidations/AAAUSDT?from=2024-04-05&to=${reached}`)).toEqual([])
  // What fits is answered, however long the range.
  const short = await page(
    '/v1/liquidations/BTCUSDT?from=2024-07-05T21:00:00Z&to=2024-08-01&limit=5',
  )
  expect(short.rows).toHaveLength(5)
})

test('nothing above was a fault of ours', () => expect(reported).toEqual([]))
