/** Every route that reads the database: good, missing, wrong, out of range and hostile input. */
import { beforeAll, describe, expect, test } from 'vitest'
import { fromMillis } from '#core/time.ts'
import { composeApp } from '../../edge-api/compose.ts'
import type { Database } from '../../edge-api/queries/database.ts'
import { selectLatestQuote } from '../../edge-api/queries/latest-quote.ts'
import { selectRange } from '../../edge-api/queries/range.ts'
import { quotes, trades } from '../../edge-api/tables/tables.ts'
import { readContract, type Ask, type Contract } from './contract.ts'
import { addQuotes, addReport, addSymbol, addTrades, startEdge } from './support.ts'

const edge = await startEdge()
const reported: unknown[] = []
const NOW = '2024-08-09T00:00:00Z'
const app = composeApp(edge.bindings, {
  now: () => fromMillis(Date.parse(NOW)),
  report: (error) => reported.push(error),
})
const ask: Ask = async (path, init) => app.request(path, init)
let contract: Contract

interface Page {
  readonly from: string
  readonly to: string
  readonly next: string | null
  readonly rows: readonly Record<string, unknown>[]
}

async function good<Body = Record<string, unknown>>(path: string): Promise<Body> {
  const response = await ask(path)
  expect([path, response.status]).toEqual([path, 200])
  return contract.check(path, response)
}

const page = (path: string): Promise<Page> => good(path)

beforeAll(async () => {
  contract = await readContract(ask)
  const btc = await addSymbol(edge.pool, 'BTCUSDT')
  await addSymbol(edge.pool, 'NEWUSDT')
  await addSymbol(edge.pool, '币安人生USDT')
  await addSymbol(edge.pool, 'TWICEUSDT')
  await addSymbol(edge.pool, 'TWICEUSDT', 'another-exchange')
  const old = await addSymbol(edge.pool, 'OLDUSDT')
  await addQuotes(edge.pool, old, [['2024-07-01T12:00:00.000001Z', 7, 1, 1.01, 5, 6]])
  await addQuotes(edge.pool, btc, [
    ['2024-08-08T22:59:59.999999Z', 1, 61800.2, 61800.3, 0.5, 12.041],
    ['2024-08-08T23:54:00Z', 2, 61800.2, 61800.3, 0.5, 12.041],
    ['2024-08-08T23:58:00.5Z', 3, 61800.2, 61800.31, 0.5, 12],
    ['2024-08-08T23:58:00.5Z', 4, 61800.2, 61800.32, 0.0005, 1e-8],
    ['2024-08-08T23:59:59.999999Z', 5, 61800, 61801, 1, 2],
  ])
  await addTrades(edge.pool, btc, [
    ['2024-08-08T23:58:00.25Z', 10, 61800.2, 0.005],
    ['2024-08-08T23:58:00.25Z', 11, 61800.2, 1],
    ['2024-08-08T23:59:00Z', 12, 61800.125, 2],
  ])
  await edge.pool.query(
    `insert into marketdata.gaps (symbol_id, channel, from_ts, to_ts, from_id, to_id, cause, detected_at, repaired_at)
     values ($1, 'trades', '2024-08-08T10:00:00Z', '2024-08-08T10:00:05Z', 5, 9, 'sequence', '2024-08-08T10:00:05Z', null),
            ($1, 'book_ticker', '2024-08-08T11:00:00Z', '2024-08-08T12:00:00Z', null, null, 'disconnect', '2024-08-08T12:00:00Z', '2024-08-08T12:01:00Z'),
            ($1, 'trades', '2024-08-01T10:00:00Z', '2024-08-01T10:00:05Z', null, null, 'silence', '2024-08-01T10:00:05Z', null)`,
    [btc],
  )
  await edge.pool.query(
    `insert into marketdata.job_runs (job, job_window, status, attempt, started_at, finished_at, row_count, byte_count, error)
     values ('features', '2024-08-07', 'failed', 1, '2024-08-08T00:10:00Z', '2024-08-08T00:10:01Z', null, null, 'no data'),
            ('features', '2024-08-07', 'done', 2, '2024-08-08T00:12:00Z', '2024-08-08T00:12:09.5Z', 86400, 123456, null),
            ('features', '2024-08-08', 'running', 1, '2024-08-09T00:10:00Z', null, null, null, null)`,
  )
})

test('the index names paths that the OpenAPI document has', async () => {
  const { links } = (await good('/')) as { links: Record<string, string> }
  const documented = Object.keys(contract.paths)
  const missing = Object.values(links).filter((path) => !documented.includes(path))
  // A stream over WebSocket or server-sent events has no operation in OpenAPI: docs/live.md.
  expect(missing.toSorted()).toEqual(['/chart', '/docs', '/openapi.json', '/v1/live'])
})

test('the OpenAPI document is consistent: operation names are unique, paths declare their parameters', () => {
  expect(contract.document['openapi']).toBe('3.1.0')
  const operations = Object.entries(contract.paths).map(([path, { get }]) => ({ path, ...get }))
  expect(new Set(operations.map((operation) => operation.operationId)).size).toBe(operations.length)
  for (const { path, parameters = [], responses } of operations) {
    const in_path = parameters.filter((p) => p.in === 'path').map((p) => `{${p.name}}`)
    expect([path, in_path]).toEqual([path, path.match(/\{\w+\}/g) ?? []])
    // /prices keeps the price tracker's format: a 422, and unknown parameters are ignored.
    if (!path.startsWith('/prices')) expect(Object.keys(responses)).toContain('400')
  }
  const references = JSON.stringify(contract.document).matchAll(/"#\/components\/schemas\/(\w+)"/g)
  const { schemas } = contract.document['components'] as { schemas: Record<string, unknown> }
  for (const [, name] of references) expect(Object.keys(schemas)).toContain(name)
})

test('health has the age of the newest quote of any symbol', async () => {
  expect(await good('/health')).toEqual({
    status: 'ok',
    newest_quote: { ts_exchange: '2024-08-08T23:59:59.999999Z', age_ms: 0 },
  })
})

test('symbols are listed by exchange and name, with steps as text', async () => {
  const { symbols } = (await good('/v1/symbols?exchange=binance-futures&limit=2')) as {
    symbols: unknown[]
  }
  expect(symbols).toHaveLength(2)
  expect(symbols[0]).toMatchObject({
    exchange: 'binance-futures',
    symbol: 'BTCUSDT',
    tick_size: '0.01',
    step_size: '0.001',
    ts_exchange_source: { book_ticker: 'engine', mark_price: 'event' },
  })
  expect((await good('/v1/symbols?is_active=false')) as unknown).toEqual({ symbols: [] })
})

describe('quotes', () => {
  test('the latest has the decimals of the exchange, and no digit is lost if the step changed', async () => {
    expect(await good('/v1/quotes/BTCUSDT/latest')).toEqual({
      exchange: 'binance-futures',
      symbol: 'BTCUSDT',
      age_ms: 0,
      ts_exchange: '2024-08-08T23:59:59.999999Z',
      ts_ingest: '2024-08-09T00:00:00.001499Z',
      update_id: 5,
      best_bid: '61800.00',
      best_ask: '61801.00',
      bid_qty: '1.000',
      ask_qty: '2.000',
      spread: '1.00',
      mid: '61800.500',
    })
    const { rows } = await page(
      '/v1/quotes/BTCUSDT?from=2024-08-08T23:58:00Z&to=2024-08-08T23:59:00Z',
    )
    expect(rows[1]).toMatchObject({
      bid_qty: '0.0005',
      ask_qty: '0.00000001',
      spread: '0.12',
      mid: '61800.260',
    })
  })

  test('the latest of a symbol that has been silent for a month is found further back', async () => {
    expect(await good('/v1/quotes/OLDUSDT/latest')).toMatchObject({
      update_id: 7,
      age_ms: 38 * 86_400_000 + 43_200_000,
    })
  })

  test('the latest of a symbol without quotes is a 404', async () => {
    const body = await contract.check(
      '/v1/quotes/NEWUSDT/latest',
      await ask('/v1/quotes/NEWUSDT/latest'),
    )
    expect(body).toMatchObject({ status: 404, type: 'urn:booktape:problem:no_quote' })
  })

  test('the default range is the last five minutes', async () => {
    const { from, to, rows, next } = await page('/v1/quotes/BTCUSDT')
    expect([from, to]).toEqual(['2024-08-08T23:55:00.000000Z', '2024-08-09T00:00:00.000000Z'])
    expect(rows.map((row) => row['update_id'])).toEqual([3, 4, 5])
    expect(next).toBeNull()
  })

  for (const [name, range, expected] of [
    ['from is in the range, to is not', 'from=2024-08-08T23:54:00Z&to=2024-08-08T23:58:00.5Z', [2]],
    [
      'over an hour, so over two partitions',
      'from=2024-08-08T22:59:59.999999Z&to=2024-08-08T23:55:00Z',
      [1, 2],
    ],
    ['seconds', 'from=1723161240&to=1723161481', [2, 3, 4]],
    ['milliseconds', 'from=1723161240000&to=1723161481000', [2, 3, 4]],
    ['microseconds', 'from=1723157999999999&to=1723158000000000', [1]],
    [
      'an offset, its plus sign not escaped',
      'from=2024-08-09T01:54:00+02:00&to=2024-08-09T01:55+02:00',
      [2],
    ],
    ['a date alone is its midnight', 'from=2024-08-08&limit=1', [1]],
    ['without from, five minutes before to', 'to=2024-08-08T23:59:00.000Z', [2, 3, 4]],
    ['an hour without a partition is empty', 'from=2020-01-01&to=2020-01-02', []],
  ] as const) {
    test(`range: ${name}`, async () => {
      const { rows } = await page(`/v1/quotes/BTCUSDT?${range}`)
      expect(rows.map((row) => row['update_id'])).toEqual(expected)
    })
  }

  test('pages continue inside equal timestamps, and rows that arrive meanwhile do not disturb them', async () => {
    const first = await page('/v1/quotes/BTCUSDT?from=2024-08-08T22:00:00Z&limit=3')
    expect(first.rows.map((row) => row['update_id'])).toEqual([1, 2, 3])
    const { rows } = await edge.pool.query<{ id: string }>(
      "select id from marketdata.symbols where symbol = 'BTCUSDT'",
    )
    const symbol_id = Number(rows[0]!.id)
    await addQuotes(edge.pool, symbol_id, [['2024-08-08T23:30:00Z', 90, 1, 2, 1, 1]])
    const second = await page(first.next!)
    expect(second.rows.map((row) => row['update_id'])).toEqual([4, 5])
    expect([second.next, second.to]).toEqual([null, first.to])
    await edge.pool.query('delete from marketdata.book_ticker where update_id = 90')
  })
})

test('trades are paged the same way, with prices that do not fit the tick in full', async () => {
  const first = await page('/v1/trades/BTCUSDT?limit=1')
  const second = await page(first.next!)
  const third = await page(second.next!)
  expect([first, second, third].map(({ rows }) => rows[0]!['agg_trade_id'])).toEqual([10, 11, 12])
  expect(third.rows[0]).toMatchObject({
    price: '61800.125',
    qty: '2.000',
    non_rpi_qty: null,
    is_buyer_maker: true,
  })
  expect(third.next).toBeNull()
})

test('gaps that overlap the range are listed and filtered; older ones need a from', async () => {
  const causes = async (search: string) =>
    (await page(`/v1/gaps${search}`)).rows.map((row) => row['cause'])
  expect(await causes('')).toEqual(['sequence', 'disconnect'])
  expect(await causes('?open=true')).toEqual(['sequence'])
  expect(await causes('?open=false&channel=book_ticker')).toEqual(['disconnect'])
  expect(await causes('?from=2024-08-08T11:30:00Z&symbol=BTCUSDT')).toEqual(['disconnect'])
  expect(await causes('?from=2024-07-01&channel=trades')).toEqual(['silence', 'sequence'])
  const first = await page('/v1/gaps?from=2024-07-01&limit=2')
  expect((await page(first.next!)).rows.map((row) => row['cause'])).toEqual(['disconnect'])
})

test('job runs come newest first, without their logs', async () => {
  const { runs } = (await good('/v1/jobs')) as { runs: Record<string, unknown>[] }
  expect(runs.map((run) => [run['job_window'], run['status']])).toEqual([
    ['2024-08-08', 'running'],
    ['2024-08-07', 'done'],
    ['2024-08-07', 'failed'],
  ])
  expect(runs[1]).toMatchObject({ finished_at: '2024-08-08T00:12:09.500000Z', byte_count: 123_456 })
  expect(await good('/v1/jobs?job=features&status=failed&limit=5')).toMatchObject({
    runs: [{ error: 'no data' }],
  })
})

test('the newest report of the validation, its age, and whether the checks still run', async () => {
  const none = await ask('/v1/validation')
  expect(await contract.check('/v1/validation', none)).toMatchObject({
    status: 404,
    type: 'urn:booktape:problem:no_report',
  })
  const finding = {
    check: 'rates',
    code: 'rate_low',
    table_name: 'book_ticker',
    symbols: ['binance-futures BTCUSDT'],
    symbol_count: 700,
    sentence: 'Too few quotes.',
  } as const
  await addReport(edge.pool, '2024-08-08T23:45:00.000Z')
  expect(await good('/v1/validation')).toMatchObject({ findings: [], is_stale: true })
  const report = await addReport(edge.pool, '2024-08-08T23:55:00.123Z', [finding])
  expect(await good('/v1/validation')).toEqual({ ...report, age_ms: 299_877, is_stale: false })
})

test('a name in Chinese letters is a symbol like any other', async () => {
  expect(await page(`/v1/quotes/${encodeURIComponent('币安人生USDT')}`)).toMatchObject({ rows: [] })
})

describe('a wrong parameter is a 400 that names it and says what is allowed', () => {
  for (const [path, parameter, allowed] of [
    ['/?a=1', 'a', 'no parameters'],
    ['/health?verbose=1', 'verbose', 'no parameters'],
    ['/v1/symbols?exchange=nyse', 'exchange', 'binance-futures'],
    ['/v1/symbols?is_active=yes', 'is_active', 'true or false'],
    ['/v1/symbols?limit=0', 'limit', '1 to 10000'],
    ['/v1/quotes/BTC@USDT', 'symbol', 'letters'],
    ['/v1/quotes/%00', 'symbol', 'letters'],
    [`/v1/quotes/${'A'.repeat(65)}`, 'symbol', '64'],
    ["/v1/quotes/BTCUSDT'%20or%201=1", 'symbol', 'letters'],
    ['/v1/quotes/BTCUSDT/latest?from=1', 'from', 'exchange'],
    ['/v1/quotes/BTCUSDT?limit=10001', 'limit', '1 to 10000'],
    ['/v1/quotes/BTCUSDT?limit=-1', 'limit', '1 to 10000'],
    ['/v1/quotes/BTCUSDT?limit=1e3', 'limit', '1 to 10000'],
    ['/v1/quotes/BTCUSDT?limit=', 'limit', '1 to 10000'],
    ['/v1/quotes/BTCUSDT?limit=1&limit=2', 'limit', 'given once'],
    ['/v1/quotes/BTCUSDT?form=1', 'form', 'from, to'],
    ['/v1/quotes/BTCUSDT?from=yesterday', 'from', 'ISO 8601'],
    ['/v1/quotes/BTCUSDT?from=2024-02-30', 'from', 'ISO 8601'],
    ['/v1/quotes/BTCUSDT?from=2024-08-08T12:00:00', 'from', 'offset'],
    ['/v1/quotes/BTCUSDT?from=-5', 'from', 'ISO 8601'],
    ['/v1/quotes/BTCUSDT?from=NaN', 'from', 'ISO 8601'],
    ['/v1/quotes/BTCUSDT?from=9999999999999999', 'from', '2199'],
    ["/v1/quotes/BTCUSDT?from=1';drop table x", 'from', 'ISO 8601'],
    ['/v1/quotes/BTCUSDT?from=2024-08-08&to=2024-08-08', 'from', 'before to'],
    ['/v1/quotes/BTCUSDT?from=2030-01-01', 'from', 'before now'],
    ['/v1/quotes/BTCUSDT?cursor=abc', 'cursor', "earlier answer's next"],
    ['/v1/quotes/BTCUSDT?cursor=OTk5OTk5OTk5OTk5OTk5OSw5', 'cursor', "earlier answer's next"],
    ['/v1/trades/BTCUSDT?__proto__=1', '__proto__', 'from, to'],
    ['/v1/trades/%E0%A4%A', 'symbol', 'letters'],
    ['/v1/quotes/TWICEUSDT/latest', 'exchange', 'another-exchange, binance-futures'],
    ['/v1/gaps?channel=depth', 'channel', 'book_ticker, trades'],
    ['/v1/gaps?symbol=%25', 'symbol', 'letters'],
    ['/v1/gaps?open=1', 'open', 'true or false'],
    ['/v1/jobs?status=ok', 'status', 'running, done, failed'],
    ['/v1/jobs?limit=1001', 'limit', '1 to 1000'],
    ['/v1/jobs?job=a%20b', 'job', 'a-z'],
  ] as const) {
    test(`${path} is refused`, async () => {
      const response = await ask(path)
      expect(response.status).toBe(400)
      expect(response.headers.get('cache-control')).toBe('no-store')
      const body = await contract.check(path, response)
      const errors = body['errors'] as { parameter: string; allowed: string }[]
      expect(errors.map((error) => error.parameter)).toEqual([parameter])
      expect(errors[0]!.allowed).toContain(allowed)
      expect(body['instance']).toBe(new URL(path, 'http://x').pathname)
    })
  }

  test('several at once are reported together, and long input is shortened', async () => {
    const response = await ask(`/v1/quotes/BTCUSDT?limit=${'9'.repeat(5_000)}&from=x&verbose=1`)
    const text = await response.text()
    expect(text.length).toBeLessThan(2_500)
    const { errors } = JSON.parse(text) as { errors: { parameter: string }[] }
    expect(errors.map((error) => error.parameter).toSorted()).toEqual(['from', 'limit', 'verbose'])
  })
})

test('an unknown symbol is a 404 that names it and where the list is', async () => {
  for (const path of ['/v1/quotes/XYZUSDT/latest', '/v1/quotes/XYZUSDT', '/v1/trades/btcusdt']) {
    const body = await contract.check(path, await ask(path))
    expect(body).toMatchObject({ status: 404, type: 'urn:booktape:problem:unknown_symbol' })
    expect(body['detail']).toContain('/v1/symbols')
  }
})

test('an unknown path is a 404 and a known path with another method a 405 with Allow', async () => {
  const missing = await ask('/v2/quotes')
  expect([missing.status, missing.headers.get('content-type')]).toEqual([
    404,
    'application/problem+json',
  ])
  for (const method of ['POST', 'PUT', 'DELETE', 'PATCH']) {
    const response = await ask('/v1/quotes/BTCUSDT/latest', { method })
    expect([response.status, response.headers.get('allow')]).toEqual([405, 'GET, HEAD, OPTIONS'])
  }
  expect((await ask('/v2', { method: 'POST' })).status).toBe(404)
})

test('HEAD answers as GET does, without a body; OPTIONS allows every origin to read', async () => {
  const head = await ask('/v1/quotes/BTCUSDT/latest', { method: 'HEAD' })
  expect([head.status, await head.text()]).toEqual([200, ''])
  const preflight = await ask('/v1/symbols', {
    method: 'OPTIONS',
    headers: { origin: 'https://example.org', 'access-control-request-method': 'GET' },
  })
  expect(preflight.headers.get('access-control-allow-origin')).toBe('*')
  expect(preflight.headers.get('access-control-allow-methods')).not.toContain('POST')
})

test('every answer has its security headers, problems included', async () => {
  for (const path of ['/', '/nowhere', '/v1/jobs?x=1']) {
    const { headers } = await ask(path)
    expect(headers.get('x-content-type-options')).toBe('nosniff')
    expect(headers.get('content-security-policy')).toContain("default-src 'none'")
    expect(headers.get('access-control-allow-origin')).toBe('*')
  }
})

test('queries plan only the partitions of their range, and do not sort', async () => {
  const plans: string[] = []
  const explain: Database = {
    async query(sql, parameters) {
      const { rows } = await edge.pool.query<{ 'QUERY PLAN': string }>(`explain ${sql}`, [
        ...parameters,
      ])
      plans.push(rows.map((row) => row['QUERY PLAN']).join('\n'))
      return []
    },
  }
  const time = (text: string) => fromMillis(Date.parse(text))
  await selectLatestQuote(explain, 1, time(NOW))
  const [from, to] = [time('2024-08-08T22:10:00Z'), time('2024-08-08T23:10:00Z')]
  const range = {
    symbol_id: 1,
    from: time('2024-07-01'),
    to,
    limit: 10,
    after: [from, 5] as const,
  }
  for (const table of [quotes, trades]) {
    await selectRange(explain, { table, columns: table.identity, ...range })
  }
  const partitions = plans.map((plan) =>
    [...new Set(plan.match(/(?<=_)\d{10}(?= |$)/gm))].toSorted(),
  )
  expect(partitions).toEqual([
    ['2024080823'],
    // A silent instrument is looked for by a function, eight partitions at a time (locks.test.ts).
    [],
    ['2024080822', '2024080823'],
    ['2024080823'],
  ])
  expect(plans.join('\n')).not.toMatch(/Sort|Seq Scan/)
})

test('nothing above was a fault of ours', () => expect(reported).toEqual([]))
