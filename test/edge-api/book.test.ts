/** GET /v1/book over the real gateway: made-up depth for the rules, and a recording. */
import { beforeAll, expect, test } from 'vitest'
import { fromMillis, type Micros, micros, toIso } from '#core/time.ts'
import { composeApp } from '../../edge-api/compose.ts'
import { BTC, depthLines, FEEDS_DIR, FIVE_COINS } from '../core/depth-recordings.ts'
import { changesOf, mapBookAt } from '../core/map-book.ts'
import { archiveHour, dropHour } from '../support/archive-hours.ts'
import { loadRecordedDepth } from '../support/recorded-depth.ts'
import { readContract, type Ask, type Contract } from './contract.ts'
import { addSymbol, startEdge } from './support.ts'

const edge = await startEdge()
const NOW = '2024-08-08T13:00:30Z'
const app = composeApp(edge.bindings, {
  now: () => fromMillis(Date.parse(NOW)),
  report: () => undefined,
})
const ask: Ask = async (path, init) => app.request(path, init)
let contract: Contract

interface BookAnswer {
  readonly ts_exchange: string
  readonly age_ms: number
  readonly update_id: number
  readonly bids: readonly (readonly [string, string])[]
  readonly asks: readonly (readonly [string, string])[]
}

async function book(path: string): Promise<BookAnswer> {
  const response = await ask(path)
  expect([path, response.status]).toEqual([path, 200])
  return contract.check<BookAnswer>(path, response)
}

async function problem(path: string, status: number): Promise<string> {
  const response = await ask(path)
  expect([path, response.status]).toEqual([path, status])
  const { type } = await contract.check(path, response)
  return String(type).split(':').at(-1)!
}

/** [seconds after 12:59:50, kind, U, u, pu, bids] */
type Made = readonly [number, string, number | null, number, number | null, string]

async function addDepth(symbol_id: number, made: readonly Made[]): Promise<void> {
  for (const [second, ...rest] of made) {
    const ts = toIso(micros(Date.parse('2024-08-08T12:59:50Z') * 1_000 + second * 1_000_000))
    await edge.pool.query("select marketdata.ensure_hour('depth_events', $1)", [ts])
    await edge.pool.query(
      `insert into marketdata.depth_events (ts_exchange, ts_ingest, symbol_id, depth_kind,
         first_update_id, final_update_id, prev_final_update_id, bids, asks)
       values ($1, $1, $2, $3, $4, $5, $6, $7::float8[], $8::float8[])`,
      [ts, symbol_id, ...rest, rest[0] === 'snapshot' ? '{{61801,2},{61800.3,12.041}}' : '{}'],
    )
  }
}

const SNAPSHOT = '{{61800.2,0.5},{61799.5,1e-3},{61000,3}}'
const ROWS: readonly Made[] = [
  [-20, 'diff', 1, 5, 0, '{{1,1}}'],
  [0, 'snapshot', null, 100, null, SNAPSHOT],
  // Older than the snapshot, and stored with a later time.
  [1, 'diff', 90, 99, 89, '{{61799.5,77}}'],
  [2, 'diff', 98, 105, 97, '{{61800.2,0.25}}'],
  [4, 'diff', 106, 110, 105, '{{61000,0},{60000.5,1}}'],
  [5, 'partial', null, 110, null, '{{5,5}}'],
  [6, 'diff', 111, 112, 110, '{{61799.5,0.002}}'],
  // Across the hour, and after a gap.
  [15, 'diff', 140, 150, 139, '{{61800.2,9}}'],
  [16, 'diff', 151, 160, 150, '{{61800.2,8}}'],
]

beforeAll(async () => {
  contract = await readContract(ask)
  await addDepth(await addSymbol(edge.pool, 'BTCUSDT'), ROWS)
  const mended: Made = [20, 'snapshot', null, 155, null, SNAPSHOT]
  await addDepth(await addSymbol(edge.pool, 'MENDEDUSDT'), [...ROWS, mended])
  await addSymbol(edge.pool, 'NEWUSDT')
})

const at = (clock: string, symbol = 'BTCUSDT', more = ''): string =>
  `/v1/book/${symbol}?ts=2024-08-08T${clock}Z${more}`

test("the book has every update up to ts, with the exchange's decimals", async () => {
  const found = await book(at('12:59:52'))
  expect(found).toMatchObject({
    update_id: 105,
    ts_exchange: '2024-08-08T12:59:52.000000Z',
    age_ms: 0,
  })
  expect(found.bids).toEqual([
    ['61800.20', '0.250'],
    ['61799.50', '0.001'],
    ['61000.00', '3.000'],
  ])
  expect(found.asks).toEqual([
    ['61800.30', '12.041'],
    ['61801.00', '2.000'],
  ])
  expect((await book(at('12:59:51.999999'))).bids[0]).toEqual(['61800.20', '0.500'])
})

test('depth cuts both sides, and a removed level is absent', async () => {
  expect((await book(at('12:59:53', 'BTCUSDT', '&depth=1'))).bids).toEqual([['61800.20', '0.250']])
  const { bids } = await book(at('12:59:55'))
  expect(bids.map(([price]) => price)).toEqual(['61800.20', '61799.50', '60000.50'])
})

test('in a gap, after it, and before anything was recorded there is no book', async () => {
  expect(await problem(at('13:00:00'), 404)).toBe('book_unknown')
  expect(await problem(at('13:00:07'), 404)).toBe('book_unknown')
  expect(await problem(at('12:59:49.9'), 404)).toBe('no_book')
  expect(await problem('/v1/book/NEWUSDT', 404)).toBe('no_book')
})

test('the newest book is absent while it resynchronizes, and back after its snapshot', async () => {
  const response = await ask('/v1/book/BTCUSDT')
  expect(response.headers.get('retry-after')).toBe('5')
  expect(await problem('/v1/book/BTCUSDT', 503)).toBe('book_resyncing')
  const found = await book('/v1/book/MENDEDUSDT')
  expect(found).toMatchObject({ update_id: 160, age_ms: 20_000 })
  expect(found.bids[0]).toEqual(['61800.20', '8.000'])
})

test('a book is valid for max_age_s after its last update, in Postgres and in the archive', async () => {
  const found = async (): Promise<unknown> => {
    const asked = at('14:00:05', 'MENDEDUSDT')
    return [
      await book(asked),
      await problem(at('14:00:11', 'MENDEDUSDT'), 404),
      await book(at('14:00:11', 'MENDEDUSDT', '&max_age_s=3700')),
      await problem(at('12:59:52', 'MENDEDUSDT', '&max_age_s=1').replace('2024', '2028'), 404),
      // In a gap, but so long after the last update that the age decides first.
      await problem(at('13:59:00', 'BTCUSDT'), 404),
      await problem(at('14:01:00', 'BTCUSDT'), 404),
      await problem(at('13:30:00', 'BTCUSDT', '&max_age_s=60'), 404),
      await problem(`${asked.replace('08T', '09T')}&max_age_s=86400`, 404),
    ]
  }
  const hot = await found()
  expect(hot).toMatchObject([
    { age_ms: 3_595_000, max_age_s: 3_600, update_id: 160 },
    'no_book',
    { age_ms: 3_601_000, max_age_s: 3_700 },
    'no_book',
    'book_unknown',
    'no_book',
    'no_book',
    'no_book',
  ])
  for (const hour of ['2024-08-08T12:00:00Z', '2024-08-08T13:00:00Z']) {
    await dropHour(edge.pool, await archiveHour(edge.pool, edge.store, 'depth_events', hour))
  }
  expect((await edge.pool.query('select from marketdata.depth_events')).rowCount).toBe(0)
  expect(await found()).toEqual(hot)
})

for (const [name, path, status, type] of [
  ['an unknown symbol', '/v1/book/NOUSDT', 404, 'unknown_symbol'],
  ['an invalid time', '/v1/book/BTCUSDT?ts=yesterday', 400, 'bad_parameter'],
  ['no level', '/v1/book/BTCUSDT?depth=0', 400, 'bad_parameter'],
  ['too many levels', '/v1/book/BTCUSDT?depth=5001', 400, 'bad_parameter'],
  ['an age above the maximum', '/v1/book/BTCUSDT?max_age_s=86401', 400, 'bad_parameter'],
  ['a parameter of another route', '/v1/book/BTCUSDT?limit=5', 400, 'bad_parameter'],
] as const) {
  test(`${name}: ${status}`, async () => {
    expect(await problem(path, status)).toBe(type)
  })
}

for (const folder of [BTC, FIVE_COINS]) {
  test.skipIf(FEEDS_DIR === undefined)(
    `${folder}: at random moments the book is the recording's, hot and cold (FEEDS_DIR names it)`,
    async () => {
      const own = await startEdge()
      await loadRecordedDepth({ pool: own.pool, url: own.database_url }, folder)
      const lines = depthLines(folder)
      const moments = [...new Set(lines.map(({ symbol }) => symbol))].flatMap((symbol) => {
        const changes = changesOf(lines, symbol)
        const start = changes.find(({ kind }) => kind === 'snapshot')!.change.ts_exchange
        const span = changes.at(-1)!.change.ts_exchange - start
        return Array.from({ length: 5 }, () => {
          const ts = micros(start + Math.floor(Math.random() * span))
          return { symbol, ts, expected: mapBookAt(changes, ts) }
        })
      })
      /** One after the other, as one caller asks; with nothing cached from before. */
      const read = async (): Promise<readonly unknown[]> => {
        const now = (): Micros => fromMillis(Date.parse('2026-01-01'))
        const recorded = composeApp(own.bindings, { now, report: () => undefined })
        const books: unknown[] = []
        for (const { symbol, ts, expected } of moments) {
          const path = `/v1/book/${symbol}?ts=${toIso(ts)}&depth=5000`
          const response = await recorded.request(path)
          const found = (await response.json()) as BookAnswer
          expect(found, path).toMatchObject({ update_id: expected.update_id })
          for (const side of ['bids', 'asks'] as const) {
            const levels = expected[side].slice(0, 5_000)
            expect(
              found[side].map((level) => level.map(Number)),
              path,
            ).toEqual(levels)
          }
          books.push(found)
        }
        return books
      }
      const hot = await read()
      const { rows } = await own.pool.query<{ hour: Date }>(
        "select distinct date_trunc('hour', ts_exchange) as hour from marketdata.depth_events",
      )
      for (const { hour } of rows) {
        const archived = await archiveHour(own.pool, own.store, 'depth_events', hour.toISOString())
        await dropHour(own.pool, archived)
      }
      expect((await own.pool.query('select from marketdata.depth_events')).rowCount).toBe(0)
      expect(await read()).toEqual(hot)
    },
  )
}
