/** Reads besides quotes and trades: formats, columns, candles, features, coverage, logs, books. */
import { beforeAll, describe, expect, test } from 'vitest'
import { fromMillis } from '#core/time.ts'
import { composeApp } from '../../edge-api/compose.ts'
import { archiveHour, dropHour } from '../support/archive-hours.ts'
import { publishRows } from '../support/dataset-file.ts'
import { readContract, type Ask, type Contract } from './contract.ts'
import { addQuotes, addSymbol, addTrades, setLatest, startEdge } from './support.ts'

const edge = await startEdge()
const reported: unknown[] = []
const NOW = '2024-08-08T23:59:00Z'
const app = composeApp(edge.bindings, {
  now: () => fromMillis(Date.parse(NOW)),
  report: (error) => reported.push(error),
})
const ask: Ask = async (path, init) => app.request(path, init)
let contract: Contract

type Answer = Readonly<Record<string, unknown>> & {
  readonly next: string | null
  readonly rows: readonly Record<string, unknown>[]
}

async function good(path: string): Promise<Answer> {
  const response = await ask(path)
  expect([path, response.status]).toEqual([path, 200])
  return (await contract.check(path, response)) as Answer
}

async function refused(path: string, status: number): Promise<string> {
  const response = await ask(path)
  expect([path, response.status]).toEqual([path, status])
  const { type } = await contract.check(path, response)
  return String(type).split(':').at(-1)!
}

beforeAll(async () => {
  contract = await readContract(ask)
  const btc = await addSymbol(edge.pool, 'BTCUSDT')
  await addSymbol(edge.pool, 'NEWUSDT')
  await addQuotes(edge.pool, btc, [
    ['2024-08-08T23:57:00.1Z', 1, 61800, 61800.02, 1, 3],
    ['2024-08-08T23:57:00.9Z', 2, 61800.02, 61800.04, 2, 1],
  ])
  await addTrades(edge.pool, btc, [
    ['2024-08-08T23:57:00.25Z', 10, 61800.02, 0.1],
    ['2024-08-08T23:57:59.999999Z', 11, 61810, 0.2],
    ['2024-08-08T23:58:00Z', 12, 61790, 0.3],
  ])
  await addDepth(btc)
  await addTopn(btc)
  await edge.pool.query(
    `insert into marketdata.gaps (symbol_id, channel, from_ts, to_ts, cause, detected_at, repaired_at)
     values ($1, 'trades', '2024-08-08T23:57:30Z', '2024-08-08T23:57:35Z', 'sequence', now(), null),
            ($1, 'trades', '2024-08-08T23:57:32Z', '2024-08-08T23:57:40Z', 'silence', now(), null),
            ($1, 'trades', '2024-08-08T23:50:00Z', '2024-08-08T23:52:00Z', 'restart', now(), now())`,
    [btc],
  )
  await edge.pool.query(
    `insert into marketdata.job_runs (job, job_window, status, attempt, started_at, log_lines)
     select 'archive', '2024-08-08T22', 'running', 1, '2024-08-08T23:00:00Z',
       jsonb_agg(jsonb_build_object('ts', n, 'level', 'info', 'msg', 'line ' || n) order by n)
     from generate_series(1, 1005) n`,
  )
})

async function addDepth(symbol_id: number): Promise<void> {
  await edge.pool.query("select marketdata.ensure_hour('depth_events', $1)", [NOW])
  await edge.pool.query(
    `insert into marketdata.depth_events (ts_exchange, ts_ingest, symbol_id, depth_kind,
       first_update_id, final_update_id, prev_final_update_id, bids, asks)
     values ('2024-08-08T23:50:00Z', now(), $1, 'snapshot', null, 100, null,
         '{{61800,1},{61790,2},{61000,3}}', '{{61800.02,1},{61801,2},{62500,3}}'),
       ('2024-08-08T23:51:00Z', now(), $1, 'diff', 101, 102, 100, '{{61790,5}}', '{}')`,
    [symbol_id],
  )
}

async function addTopn(symbol_id: number): Promise<void> {
  await edge.pool.query("select marketdata.ensure_hour('orderbook_topn', $1)", [NOW])
  await edge.pool.query(
    `insert into marketdata.orderbook_topn
       (ts_exchange, symbol_id, final_update_id, b1_price, b1_qty, b2_price, b2_qty, a1_price, a1_qty, i1)
     values ('2024-08-08T23:58:00.5Z', $1, 7, 61800, 1, 61799.98, 2, 61800.02, 3, -0.5)`,
    [symbol_id],
  )
}

describe('formats of an answer', () => {
  const path = '/v1/trades/BTCUSDT?from=2024-08-08T23:57:00Z&limit=2'

  for (const [accept, media] of [
    [undefined, 'application/json'],
    ['*/*', 'application/json'],
    ['text/html,application/xhtml+xml,*/*;q=0.8', 'application/json'],
    ['text/csv', 'text/csv; charset=utf-8'],
    ['application/x-ndjson;q=0.9, application/json;q=0.1', 'application/x-ndjson; charset=utf-8'],
    ['application/vnd.apache.arrow.stream, */*;q=0', 'application/vnd.apache.arrow.stream'],
    ['TEXT/CSV;q=1', 'text/csv; charset=utf-8'],
  ] as const) {
    test(`Accept ${accept} is answered with ${media}`, async () => {
      const response = await ask(path, accept === undefined ? {} : { headers: { accept } })
      expect([response.status, response.headers.get('content-type')]).toEqual([200, media])
      expect(response.headers.get('vary')).toContain('accept')
      expect(response.headers.get('link')).toMatch(
        /^<\/v1\/trades\/BTCUSDT\?.*cursor=\w+>; rel="next"$/,
      )
    })
  }

  for (const accept of ['image/png', 'text/csv;q=0', 'text/csv;q=2, x', '*/*;q=0']) {
    test(`Accept ${accept} is a 406 that names the formats`, async () => {
      const response = await ask(path, { headers: { accept } })
      expect(response.status).toBe(406)
      expect(await contract.check(path, response)).toMatchObject({
        detail: expect.stringContaining('application/vnd.apache.arrow.stream') as string,
      })
    })
  }

  test('format= overrides Accept, and the next page keeps it', async () => {
    const response = await ask(`${path}&format=csv`, { headers: { accept: 'application/json' } })
    expect(await response.text()).toBe(
      [
        'ts_exchange,ts_ingest,agg_trade_id,price,qty,non_rpi_qty,first_trade_id,last_trade_id,is_buyer_maker',
        '2024-08-08T23:57:00.250000Z,2024-08-08T23:57:00.250000Z,10,61800.02,0.100,,,,true',
        '2024-08-08T23:57:59.999999Z,2024-08-08T23:57:59.999999Z,11,61810.00,0.200,,,,true',
        '',
      ].join('\r\n'),
    )
    const next = /<(.*)>/.exec(response.headers.get('link')!)![1]!
    const rest = await ask(next)
    expect([rest.headers.get('content-type'), rest.headers.get('link')]).toEqual([
      'text/csv; charset=utf-8',
      null,
    ])
    expect((await rest.text()).split('\r\n')).toHaveLength(3)
  })

  test('columns come in the requested order, including derived ones', async () => {
    const quotes = await good(
      '/v1/quotes/BTCUSDT?from=2024-08-08T23:57:00Z&columns=mid,update_id,spread',
    )
    expect(quotes.rows).toEqual([
      { mid: '61800.010', update_id: 1, spread: '0.02' },
      { mid: '61800.030', update_id: 2, spread: '0.02' },
    ])
    expect(Object.keys(quotes.rows[0]!)).toEqual(['mid', 'update_id', 'spread'])
    const depth = await ask(
      '/v1/depth/BTCUSDT?from=2024-08-08T23:50:00Z&columns=depth_kind,bids&format=csv',
    )
    expect(await depth.text()).toContain('snapshot,"[[""61800.00"",""1.000""],')
  })

  for (const [search, name] of [
    ['format=xml', 'format'],
    ['columns=', 'columns'],
    ['columns=price,price', 'columns'],
    ['columns=price;drop', 'columns'],
    ['columns=symbol_id', 'columns'],
    ['columns=__proto__', 'columns'],
  ] as const) {
    test(`${search} is refused`, async () => {
      const response = await ask(`/v1/trades/BTCUSDT?${search}`)
      const { errors } = (await response.json()) as { errors: { parameter: string }[] }
      expect([response.status, errors[0]!.parameter]).toEqual([400, name])
    })
  }
})

test('seconds are complete up to the newest, before the rollups have computed them', async () => {
  const { rows } = await good('/v1/market-data-1s/BTCUSDT?from=2024-08-08T23:57:00Z&limit=1')
  expect(rows[0]).toMatchObject({
    bucket: '2024-08-08T23:57:00.000000Z',
    bid_open: '61800.00',
    bid_close: '61800.02',
    quote_count: 2,
    open: '61800.02',
    volume: 0.1,
    trade_count: 1,
    diff_count: null,
  })
})

describe('candles', () => {
  test('are computed from the trades of their interval', async () => {
    const { rows, interval } = await good('/v1/candles/BTCUSDT?from=2024-08-08T23:57:00Z')
    expect(interval).toBe('1m')
    expect(
      rows.map((row) => [
        row['ts'],
        row['open'],
        row['high'],
        row['low'],
        row['close'],
        row['trade_count'],
      ]),
    ).toEqual([
      ['2024-08-08T23:57:00.000000Z', '61800.02', '61810.00', '61800.02', '61810.00', 2],
      ['2024-08-08T23:58:00.000000Z', '61790.00', '61790.00', '61790.00', '61790.00', 1],
    ])
    const hour = await good('/v1/candles/BTCUSDT?interval=1h&from=2024-08-08T22:30:00Z')
    expect(hour.rows.map((row) => [row['ts'], row['close'], row['trade_count']])).toEqual([
      ['2024-08-08T23:00:00.000000Z', '61790.00', 3],
    ])
  })

  test('begin in the range, and pages follow each other', async () => {
    const path =
      '/v1/candles/BTCUSDT?from=2024-08-08T23:56:00.000001Z&to=2024-08-08T23:58:00.000001Z&limit=1'
    const first = await good(path)
    expect(first.rows.map((row) => row['ts'])).toEqual(['2024-08-08T23:57:00.000000Z'])
    const second = await good(first.next!)
    expect(second.rows.map((row) => row['ts'])).toEqual(['2024-08-08T23:58:00.000000Z'])
    expect(second.next).toBeNull()
  })

  test('hours without a trade do not make empty pages', async () => {
    const path = '/v1/candles/BTCUSDT?from=2024-08-08T12:00:00Z&to=2024-08-09&limit=1'
    const { rows } = await good(path)
    expect(rows.map((row) => row['ts'])).toEqual(['2024-08-08T23:57:00.000000Z'])
  })

  test('a page of days ends after ten days, and the next one continues', async () => {
    let path: string | null = '/v1/candles/BTCUSDT?interval=1d&from=2024-07-20&to=2024-08-09'
    const pages: unknown[] = []
    while (path !== null) {
      const answer: Answer = await good(path)
      pages.push(answer.rows.map((row) => row['ts']))
      path = answer.next
    }
    expect(pages).toEqual([[], ['2024-08-08T00:00:00.000000Z']])
  })
})

describe('features', () => {
  const day = (date: string) =>
    Array.from({ length: 5 }, (_, i) => Date.parse(`${date}T00:00:0${i}Z`) * 1_000)

  beforeAll(async () => {
    const symbols = ['AAAUSDT', 'BTCUSDT']
    await publishRows(edge.store, 'features_1s', '2024-08-06', symbols, day('2024-08-06'), ['ofi'])
    const newest = await publishRows(
      edge.store,
      'features_1s',
      '2024-08-07',
      symbols,
      day('2024-08-07'),
      ['ofi', 'mid_close'],
    )
    await setLatest(edge.store, newest)
  })

  test('the newest complete day, or a range over days; a column that a day lacks is null', async () => {
    const newest = await good('/v1/features/BTCUSDT?limit=2')
    expect(newest.rows).toEqual([
      { ts: '2024-08-07T00:00:00.000000Z', ofi: 1_000, mid_close: 1_000 },
      { ts: '2024-08-07T00:00:01.000000Z', ofi: 1_001, mid_close: null },
    ])
    const range = await good(
      '/v1/features/BTCUSDT?from=2024-08-06T00:00:03Z&to=2024-08-07T00:00:02Z&columns=ts,mid_close',
    )
    expect(range.rows.map((row) => [String(row['ts']).slice(8, 19), row['mid_close']])).toEqual([
      ['06T00:00:03', null],
      ['06T00:00:04', null],
      ['07T00:00:00', 1_000],
      ['07T00:00:01', null],
    ])
  })

  test('pages over days have every row once, whatever columns are requested', async () => {
    const seen: unknown[] = []
    let path: string | null =
      '/v1/features/BTCUSDT?from=2024-08-06&to=2024-08-08&limit=3&columns=ofi'
    while (path !== null) {
      const answer: Answer = await good(path)
      seen.push(...answer.rows.map((row) => row['ofi']))
      path = answer.next
    }
    expect(seen).toEqual([1000, 1001, 1002, 1003, 1004, 1000, 1001, 1002, 1003, 1004])
  })

  test('a finished day may be cached; an unknown name is answered with the known ones', async () => {
    const { headers } = await ask('/v1/features/BTCUSDT')
    expect(headers.get('cache-control')).toBe('public, max-age=60')
    expect(await refused('/v1/features/BTCUSDT?columns=nothing', 400)).toBe('bad_parameter')
    expect(await refused('/v1/features/BTCUSDT?dataset=labels_1s', 404)).toBe('unknown_dataset')
    expect(await refused('/v1/features/NOUSDT', 404)).toBe('unknown_symbol')
    expect((await good('/v1/features/NEWUSDT')).rows).toEqual([])
  })
})

test('coverage has first and last rows, archived hours, and missing time, with overlaps counted once', async () => {
  const { streams } = await good('/v1/coverage/BTCUSDT?from=2024-08-08T23:30:00Z')
  expect(streams).toContainEqual({
    channel: 'trades',
    hot_first_ts: '2024-08-08T23:57:00.250000Z',
    hot_last_ts: '2024-08-08T23:58:00.000000Z',
    archived_hour_count: 0,
    gap_count: 3,
    open_gap_count: 2,
    unended_gap_count: 0,
    missing_s: 10,
  })
  expect(streams).toContainEqual({
    channel: 'liquidations',
    hot_first_ts: null,
    hot_last_ts: null,
    archived_hour_count: 0,
    gap_count: 0,
    open_gap_count: 0,
    unended_gap_count: 0,
    missing_s: 0,
  })
  const clipped = await good(
    '/v1/coverage/BTCUSDT?from=2024-08-08T23:57:33Z&to=2024-08-08T23:57:38Z',
  )
  expect(clipped['streams']).toContainEqual(
    expect.objectContaining({ channel: 'trades', missing_s: 5 }),
  )
})

test('a job run has the newest lines of its log', async () => {
  const run = await good('/v1/jobs/1')
  expect(run).toMatchObject({ job: 'archive', line_count: 1_005, finished_at: null })
  const lines = run['log_lines'] as readonly { readonly msg: string }[]
  expect([lines.length, lines[0]!.msg, lines.at(-1)!.msg]).toEqual([1_000, 'line 6', 'line 1005'])
  expect(await refused('/v1/jobs/2', 404)).toBe('unknown_run')
  for (const id of ['0', '-1', '1e3', '99999999999999999', 'x']) {
    expect(await refused(`/v1/jobs/${id}`, 400)).toBe('bad_parameter')
  }
})

describe("the order book collector's format", () => {
  test('/data/{symbol} is the newest book', async () => {
    expect(await good('/data/BTCUSDT')).toEqual({
      symbol: 'BTCUSDT',
      timestamp: Date.parse('2024-08-08T23:51:00Z') / 1_000,
      bids: [
        { price: '61800.00', quantity: '1.000', level: 0 },
        { price: '61790.00', quantity: '5.000', level: 1 },
        { price: '61000.00', quantity: '3.000', level: 2 },
      ],
      asks: [
        { price: '61800.02', quantity: '1.000', level: 0 },
        { price: '61801.00', quantity: '2.000', level: 1 },
        { price: '62500.00', quantity: '3.000', level: 2 },
      ],
      spread: '0.02',
      mid_price: '61800.010',
    })
    expect(await refused('/data/NEWUSDT', 404)).toBe('no_book')
  })

  test('/data/{symbol} with a range has its sampled books', async () => {
    expect(await good('/data/BTCUSDT?from=2024-08-08T23:58:00Z&to=2024-08-08T23:59:00Z')).toEqual({
      symbol: 'BTCUSDT',
      count: 1,
      next: null,
      data: [
        {
          timestamp: Date.parse('2024-08-08T23:58:00.5Z') / 1_000,
          bids: [
            { price: '61800.00', quantity: '1.000', level: 0 },
            { price: '61799.98', quantity: '2.000', level: 1 },
          ],
          asks: [{ price: '61800.02', quantity: '3.000', level: 0 }],
          spread: '0.02',
          mid_price: '61800.010',
        },
      ],
    })
  })

  test('/stats has an entry per symbol', async () => {
    expect(await good('/stats')).toEqual({
      timestamp: Date.parse(NOW) / 1_000,
      symbol_count: 2,
      active_count: 1,
      symbols: [
        {
          exchange: 'binance-futures',
          symbol: 'BTCUSDT',
          is_active: true,
          last_update: Date.parse('2024-08-08T23:58:00Z') / 1_000,
          best_bid: '61800.02',
          best_ask: '61800.04',
          spread: '0.02',
          last_price: '61790.00',
        },
        expect.objectContaining({ symbol: 'NEWUSDT', last_update: null, spread: null }),
      ],
    })
  })
})

describe('the book', () => {
  const bids = async (search: string) =>
    ((await good(`/v1/book/BTCUSDT?${search}`))['bids'] as readonly [string, string][]).map(
      ([price]) => price,
    )

  test('range= keeps the levels within a percentage of the mid, bounds included', async () => {
    expect(await bids('range=0.1')).toEqual(['61800.00', '61790.00'])
    expect(await bids('range=0.1&depth=1')).toEqual(['61800.00'])
    expect(await bids('range=2')).toEqual(['61800.00', '61790.00', '61000.00'])
    expect(await bids('range=0.000001')).toEqual([])
    for (const range of ['0', '-1', '101', '1e1', 'x', '']) {
      expect(await refused(`/v1/book/BTCUSDT?range=${range}`, 400)).toBe('bad_parameter')
    }
  })

  test('at a past time is the same from the archive, after its hour was dropped', async () => {
    const moments = ['2024-08-08T23:50:30Z', '2024-08-08T23:51:00Z', '2024-08-08T23:49:59Z']
    const ask_all = () =>
      Promise.all(moments.map(async (ts) => (await ask(`/v1/book/BTCUSDT?ts=${ts}`)).json()))
    const before: unknown = await ask_all()
    const later = composeApp(edge.bindings, {
      now: () => fromMillis(Date.parse('2024-08-09T01:00:00Z')),
      report: (error) => reported.push(error),
    })
    await dropHour(
      edge.pool,
      await archiveHour(edge.pool, edge.store, 'depth_events', '2024-08-08T23:00:00Z'),
    )
    const cold = await Promise.all(
      moments.map(async (ts) => (await later.request(`/v1/book/BTCUSDT?ts=${ts}`)).json()),
    )
    expect(cold).toEqual(before)
    expect((cold[1] as { bids: unknown[] }).bids).toHaveLength(3)
  })
})

test('nothing above was a fault of ours', () => expect(reported).toEqual([]))
