/**
 * Quotes at a time, of one and of all symbols, and trades with the quote before them: against a
 * plain computation over all quotes, and the same from the database, from the archive, from both,
 * and without Postgres.
 */
import { tableFromIPC } from 'apache-arrow'
import { beforeAll, expect, test } from 'vitest'
import { fromMillis, HOUR_US, micros, toIso, type Micros } from '#core/time.ts'
import { composeApp } from '../../edge-api/compose.ts'
import { writeInstruments } from '../../jobs/archive/instruments-file.ts'
import { is_long } from '../support/long.ts'
import { readContract, type Ask, type Contract } from './contract.ts'
import { addMarket, archiveAndDrop, newestIn, quoteBefore, seeded, type Market } from './moments.ts'
import { addQuotes, addSymbol, startEdge } from './support.ts'

const edge = await startEdge()
const random = seeded(20_240_808)
const reported: unknown[] = []
const at = (text: string): Micros => fromMillis(Date.parse(text))
const FROM = at('2024-08-08T20:10:00Z')
const TO = at('2024-08-09T00:00:00Z')
const HOURS = [20, 21, 22, 23].map((hour) => at(`2024-08-08T${hour}:00:00Z`))
const EXCHANGES = ['binance-futures', 'binance-spot'] as const
let contract: Contract
let markets: readonly Market[]

const app = composeApp(edge.bindings, {
  now: () => at('2024-08-09T02:30:00Z'),
  report: (error) => reported.push(error),
})
const ask: Ask = async (path, init) => app.request(path, init)

beforeAll(async () => {
  contract = await readContract(ask)
  const range = { from: FROM, to: TO }
  const made: Market[] = []
  for (const [exchange, symbol, quotes, trades] of [
    ['binance-futures', 'BTCUSDT', 900, 400],
    ['binance-futures', 'ETHUSDT', 300, 100],
    ['binance-spot', 'BTCUSDT', 500, 200],
    // Quotes far apart, so that some times have none within an hour.
    ['binance-spot', 'RAREUSDT', 4, 60],
  ] as const) {
    made.push(await addMarket(edge.pool, { exchange, symbol }, range, { quotes, trades }, random))
  }
  // Its quotes end in the first hour.
  const short = { from: FROM, to: micros(FROM + HOUR_US / 2) }
  const gone = { exchange: 'binance-futures', symbol: 'GONEUSDT' } as const
  made.push(await addMarket(edge.pool, gone, short, { quotes: 50, trades: 10 }, random))
  await addSymbol(edge.pool, 'NEVERUSDT')
  markets = made
  await writeInstruments(edge.pool, edge.store)
})

interface QuoteAnswer {
  readonly exchange: string
  readonly symbol: string
  readonly update_id: number
  readonly age_ms: number
}
interface ListAnswer {
  readonly rows: readonly QuoteAnswer[]
  readonly missing: readonly { readonly symbol: string }[]
  readonly unavailable: readonly { readonly exchange: string; readonly symbol: string }[]
  readonly next: string | null
  readonly row_count: number
}

async function read<Body>(path: string, status = 200): Promise<Body> {
  const response = await ask(path)
  expect([path, response.status, status === 200 ? 200 : '']).toEqual([
    path,
    status,
    status === 200 ? 200 : '',
  ])
  return contract.check<Body>(path, response)
}

/** Times to ask for: quotes' own, just before and after them, the hours' bounds, and any others. */
function moments(): readonly Micros[] {
  const of_quotes = markets.flatMap(({ quotes }) =>
    [0.1, 0.8].map((share) => quotes[Math.floor(quotes.length * share)]!.ts),
  )
  const near = of_quotes.flatMap((ts) => [ts - 1, ts, ts + 1])
  const bounds = [...HOURS, TO].flatMap((ts) => [ts - 1, ts])
  const others = Array.from({ length: 6 }, () => FROM + Math.floor(random() * (TO - FROM)))
  return [...near, ...bounds, ...others].map(micros)
}

const nameOf = ({ exchange, symbol }: { exchange: string; symbol: string }) =>
  `${exchange} ${symbol}`

function expectedAt(ts: Micros, max_age_s: number): readonly (readonly [string, number])[] {
  return markets
    .flatMap((market) => {
      const quote = newestIn(market, ts - max_age_s * 1e6, ts + 1)
      return quote === undefined ? [] : [[nameOf(market), quote.update_id] as const]
    })
    .toSorted(([a], [b]) => (a < b ? -1 : 1))
}

async function checkSnapshots(times: readonly Micros[]): Promise<void> {
  for (const [i, ts] of times.entries()) {
    const max_age_s = [3_600, 60, 14_400][i % 3]!
    const path = `/v1/snapshot?ts=${toIso(ts)}&max_age_s=${max_age_s}`
    const { rows, next, missing, unavailable } = await read<ListAnswer>(path)
    const found = rows.map((row) => [nameOf(row), row.update_id])
    const nothing = [...missing, ...unavailable]
    expect([path, found, next, nothing]).toEqual([path, expectedAt(ts, max_age_s), null, []])
  }
}

async function checkOne(times: readonly Micros[]): Promise<void> {
  for (const [i, ts] of times.entries()) {
    const market = markets[i % markets.length]!
    const { exchange, symbol } = market
    const path = `/v1/quotes/${symbol}/at?ts=${toIso(ts)}&exchange=${exchange}`
    const quote = newestIn(market, ts - HOUR_US, ts + 1)
    const answer = await read<Partial<QuoteAnswer>>(path, quote === undefined ? 404 : 200)
    expect([path, answer.update_id]).toEqual([path, quote?.update_id])
    if (quote !== undefined) expect(answer.age_ms).toBe(Math.round((ts - quote.ts) / 1_000))
  }
}

interface TradePage {
  readonly rows: readonly {
    readonly agg_trade_id: number
    readonly quote_update_id: number | null
  }[]
  readonly next: string | null
}

async function joined(path: string): Promise<readonly (readonly [number, number | null])[]> {
  const rows: [number, number | null][] = []
  for (let next: string | null = path; next !== null;) {
    const page: TradePage = await read(next)
    rows.push(
      ...page.rows.map((row): [number, number | null] => [row.agg_trade_id, row.quote_update_id]),
    )
    next = page.next
  }
  return rows
}

async function checkJoins(limit: number): Promise<void> {
  for (const market of markets) {
    const { exchange, symbol, trades } = market
    const range = `from=${toIso(FROM)}&to=${toIso(TO)}`
    const path = `/v1/trades/${symbol}?${range}&exchange=${exchange}&with=quote&limit=${limit}`
    expect([path, await joined(path)]).toEqual([
      path,
      trades.map((trade) => [trade.agg_trade_id, quoteBefore(market, trade)]),
    ])
  }
}

let round = 0

/** `npm test` asks for a third of the times in each round, in turn; test:long for all of them. */
async function checkAll(limit = 1_000): Promise<void> {
  round += 1
  const times = moments().filter((_, i) => is_long || i % 3 === round % 3)
  await checkSnapshots(times)
  await checkOne(times)
  await checkJoins(limit)
}

test('the answers are those of a plain computation: hot, partly archived, cold', async () => {
  await checkAll(37)
  // One table's hours are archived before the other's, and not in order.
  for (const [table, hour] of [
    ['book_ticker', HOURS[1]!],
    ['trades', HOURS[2]!],
    ['book_ticker', HOURS[2]!],
    ['trades', HOURS[1]!],
  ] as const) {
    await archiveAndDrop(edge.pool, edge.store, table, hour, EXCHANGES)
    await checkAll(150)
  }
  for (const hour of [HOURS[0]!, HOURS[3]!]) {
    for (const table of ['trades', 'book_ticker'] as const) {
      await archiveAndDrop(edge.pool, edge.store, table, hour, EXCHANGES)
    }
  }
  for (const table of ['book_ticker', 'trades']) {
    expect((await edge.pool.query(`select from marketdata.${table}`)).rowCount).toBe(0)
  }
  await checkAll(37)
  await checkJoins(1_000)
})

test('pages of a snapshot are those of one answer, hot names or cold ones', async () => {
  const path = `/v1/snapshot?ts=${toIso(micros(TO - 1))}&max_age_s=86400`
  const whole = (await read<ListAnswer>(path)).rows
  const paged: QuoteAnswer[] = []
  let page_count = 0
  for (let next: string | null = `${path}&limit=2`; next !== null; page_count++) {
    const page: ListAnswer = await read(next)
    paged.push(...page.rows)
    next = page.next
  }
  expect(paged).toEqual(whole)
  expect(page_count).toBe(3)
})

test('with=quote has the same rows in every format, and as many columns as asked for', async () => {
  const path = `/v1/trades/ETHUSDT?from=${toIso(FROM)}&to=${toIso(TO)}&with=quote`
  const { rows } = await read<{ rows: readonly Record<string, unknown>[] }>(path)
  const arrow = tableFromIPC(
    new Uint8Array(await (await ask(`${path}&format=arrow`)).arrayBuffer()),
  )
  const bids = [...arrow.getChild('quote_best_bid')!]
  expect(bids).toEqual(
    rows.map((row) => (row['quote_best_bid'] === null ? null : Number(row['quote_best_bid']))),
  )
  const csv = (await (await ask(`${path}&format=csv`)).text()).split('\r\n')
  expect(csv[0]).toBe(Object.keys(rows[0]!).join(','))
  expect(csv).toHaveLength(rows.length + 2)
  const few = await read<{ rows: readonly object[] }>(`${path}&columns=price,quote_best_ask`)
  expect(Object.keys(few.rows[0]!)).toEqual(['price', 'quote_best_ask'])
})

for (const [path, parameter] of [
  ['/v1/snapshot', 'ts'],
  ['/v1/snapshot?ts=yesterday', 'ts'],
  ['/v1/snapshot?ts=2024-08-09T02:32:00Z', 'ts'],
  ['/v1/snapshot?ts=2024-08-08&limit=5001', 'limit'],
  ['/v1/snapshot?ts=2024-08-08&max_age_s=86401', 'max_age_s'],
  ['/v1/snapshot?ts=2024-08-08&cursor=BTCUSDT', 'cursor'],
  ['/v1/snapshot?ts=2024-08-08&cursor=nyse:IBM', 'cursor'],
  ['/v1/quotes/BTCUSDT/at?ts=2024-08-08&exchange=nyse', 'exchange'],
  ['/v1/quotes/BTCUSDT/at?ts=2024-08-08', 'exchange'],
  ['/v1/quotes/BTCUSDT/at?exchange=binance-spot', 'ts'],
  ['/v1/quotes/latest?symbols=', 'symbols'],
  ['/v1/quotes/latest?symbols=BTCUSDT,', 'symbols'],
  ['/v1/quotes/latest?symbols=BTCUSDT,BTCUSDT', 'symbols'],
  [
    `/v1/quotes/latest?symbols=${Array.from({ length: 101 }, (_, i) => `A${i}`).join(',')}`,
    'symbols',
  ],
  ['/v1/quotes/latest?symbol=BTCUSDT', 'symbol'],
  ['/v1/trades/ETHUSDT?with=book', 'with'],
  ['/v1/trades/ETHUSDT?with=quote&limit=1001', 'limit'],
  ['/v1/trades/ETHUSDT?columns=price,quote_best_bid', 'columns'],
  ['/v1/quotes/ETHUSDT?with=quote', 'with'],
  ['/v1/search', 'q'],
  ['/v1/search?q=', 'q'],
  ["/v1/search?q='%20or%201=1", 'q'],
  ['/v1/search?q=btc&limit=101', 'limit'],
] as const) {
  test(`${path.slice(0, 80)} is a 400 that names ${parameter}`, async () => {
    const { errors } = await read<{ errors: readonly { parameter: string }[] }>(path, 400)
    expect(errors.map((error) => error.parameter)).toEqual([parameter])
  })
}

test('an unknown name in a list is a 404 that names it; a known one without quotes is missing', async () => {
  const unknown = await read<{ detail: string }>(
    '/v1/quotes/latest?symbols=BTCUSDT,NOUSDT,XUSDT',
    404,
  )
  expect(unknown.detail).toContain('NOUSDT, XUSDT are not recorded')
  const { rows, missing } = await read<ListAnswer>(
    `/v1/snapshot?ts=${toIso(micros(TO - 1))}&symbols=NEVERUSDT,ETHUSDT`,
  )
  expect(rows.map(({ symbol }) => symbol)).toEqual(['ETHUSDT'])
  expect(missing).toEqual([{ exchange: 'binance-futures', symbol: 'NEVERUSDT' }])
})

test('names are searched by symbol and base asset, exact ones first', async () => {
  await edge.pool.query(
    `insert into marketdata.symbols (exchange, symbol, instrument_type, base_asset, quote_asset, is_active)
     values ('bybit-linear', 'XBTUSD', 'perp', 'eth', 'USD', true),
       ('bybit-linear', 'ETHW', 'perp', 'ETHW', 'USDT', false),
       ('bybit-linear', 'eth', 'perp', 'ETH', 'USDT', true),
       ('bybit-linear', '币安人生USDT', 'perp', '币安人生', 'USDT', true)`,
  )
  await writeInstruments(edge.pool, edge.store)
  const search = async (query: string): Promise<readonly string[]> => {
    const path = `/v1/search?${query}`
    const { symbols } = await read<{ symbols: { symbol: string; matches: string }[] }>(path)
    return symbols.map(({ symbol, matches }) => `${symbol} ${matches}`)
  }
  expect(await search('q=Eth')).toEqual([
    'eth symbol',
    'XBTUSD base_asset',
    'ETHUSDT symbol',
    'ETHW symbol',
  ])
  expect(await search('q=btc&exchange=binance-spot')).toEqual([
    'BTCUSDT symbol',
    'RAREUSDT base_asset',
  ])
  expect(await search('q=eth&limit=1')).toEqual(['eth symbol'])
  expect(await search(`q=${encodeURIComponent('币安')}`)).toEqual(['币安人生USDT symbol'])
  expect(await search('q=zzz')).toEqual([])
})

test('the newest quotes of a list and of all are those of one symbol each', async () => {
  const [ts, now] = ['2024-08-09T02:29:58Z', at('2024-08-09T02:30:00Z')]
  for (const { id } of markets.slice(0, 2)) await addQuotes(edge.pool, id, [[ts, 9, 5, 6, 1, 2]])
  const all = await read<ListAnswer>('/v1/quotes/latest')
  const futures = all.rows.map((row) => [nameOf(row), row.update_id, row.age_ms])
  const age_ms = (now - at(ts)) / 1_000
  expect(futures).toEqual([
    ['binance-futures BTCUSDT', 9, age_ms],
    ['binance-futures ETHUSDT', 9, age_ms],
  ])
  const list = await read<ListAnswer>('/v1/quotes/latest?symbols=ETHUSDT,BTCUSDT')
  expect(list.rows).toEqual(all.rows)
  expect(list.missing).toEqual([{ exchange: 'binance-spot', symbol: 'BTCUSDT' }])
  const one = await read<QuoteAnswer>('/v1/quotes/ETHUSDT/latest')
  expect(all.rows[1]).toEqual(one)
})

test('nothing above was a fault of ours', () => expect(reported).toEqual([]))

test('without Postgres the archive answers the same, and what it cannot know is a 503', async () => {
  const range = `from=${toIso(HOURS[1]!)}&to=${toIso(TO)}`
  const paths = [
    ...HOURS.slice(1).map(
      (hour) => `/v1/snapshot?ts=${toIso(micros(hour + 1_800e6))}&exchange=binance-futures`,
    ),
    `/v1/quotes/BTCUSDT/at?ts=${toIso(micros(TO - 5))}&exchange=binance-spot`,
    `/v1/trades/ETHUSDT?${range}&with=quote`,
    `/v1/trades/RAREUSDT?${range}&with=quote&limit=7`,
    '/v1/search?q=eth',
  ]
  const before = await Promise.all(paths.map((path) => read(path)))
  await edge.stopGateway()
  expect(await Promise.all(paths.map((path) => read(path)))).toEqual(before)
  for (const path of [
    '/v1/quotes/latest',
    '/v1/quotes/latest?symbols=BTCUSDT',
    // The hours after the last file may be in the database.
    '/v1/snapshot?ts=2024-08-09T00:30:00Z&exchange=binance-futures',
    // So may those before the first file.
    `/v1/snapshot?ts=${toIso(HOURS[0]!)}&exchange=binance-futures`,
  ]) {
    const response = await ask(path)
    expect([path, response.status, response.headers.get('retry-after')]).toEqual([path, 503, '5'])
    await contract.check(path, response)
  }
})

test('without Postgres a snapshot of all exchanges has what the files prove, and names the rest', async () => {
  const ts = micros(HOURS[1]! + 1_800e6)
  const path = `/v1/snapshot?ts=${toIso(ts)}`
  // Nothing of Bybit is archived, so its quotes of this hour may be in the database.
  const unproven = ['bybit-linear ETHW', 'bybit-linear XBTUSD', 'bybit-linear eth']
  const whole = await read<ListAnswer>(path)
  const quotesOf = ({ rows }: ListAnswer) => rows.map((row) => [nameOf(row), row.update_id])
  expect(quotesOf(whole)).toEqual(expectedAt(ts, 3_600))
  expect(whole.unavailable.map(nameOf).slice(0, 3)).toEqual(unproven)
  expect((await ask(path)).headers.get('cache-control')).toBe('no-cache')
  const pages: ListAnswer[] = []
  for (let next: string | null = `${path}&limit=1`; next !== null;) {
    const page: ListAnswer = await read(next)
    pages.push(page)
    next = page.next
  }
  expect(pages.flatMap(quotesOf)).toEqual(quotesOf(whole))
  expect(pages.flatMap((page) => page.unavailable)).toEqual(whole.unavailable)
})
