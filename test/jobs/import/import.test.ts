/** Imports of files with the faults that archives have, into a real database. */
import { mkdir, writeFile } from 'node:fs/promises'
import { dirname, join } from 'node:path'
import { gzipSync } from 'node:zlib'
import { expect, test } from 'vitest'
import { listFiles } from '../../../jobs/import/files.ts'
import { createStand } from '../stand.ts'
import {
  DAY_MS,
  dayOf,
  findings,
  folderOf,
  gapsOf,
  pathOf,
  putTrades,
  run,
  tradesOf,
  wanted,
} from './made-files.ts'
import { putFile, zipOf } from '../../../bench/import/zip.ts'

test('a file with a header, ids that come twice and quantities of 0 is whole', async () => {
  const stand = await createStand()
  const made = dayOf(0, 1_000)
  const odd = [...made.slice(0, 10), made[4]!, { ...made[10]!, qty: 0 }, ...made.slice(11)]
  await putTrades(stand, '2024-03-29', odd, { header: true })
  const [result] = await run(stand, wanted('2024-03-29', '2024-03-29'))
  expect(result).toMatchObject({
    kind: 'imported',
    facts: {
      added_count: made.length - 1,
      known_count: 0,
      repeated_count: 1,
      void_count: 1,
      rejected_count: 0,
      finding: null,
    },
  })
  expect(await gapsOf(stand)).toEqual([])
  const before = await tradesOf(stand)
  expect(before).toHaveLength(made.length - 1)
  expect(findings(await run(stand, wanted('2024-03-29', '2024-03-29')))).toEqual(['known'])
  expect(await tradesOf(stand)).toEqual(before)
})

test('missing ids, a day that ends early and an absent day are in the ledger', async () => {
  const stand = await createStand()
  const [first, third] = [dayOf(0, 1_000), dayOf(2, 2_000)]
  // Ids 1100 to 1104 are missing, and the rest after 16:19.
  const kept = first.filter(({ id }) => (id < 1_100 || id > 1_104) && id < 1_327)
  await putTrades(stand, '2024-03-29', kept)
  await putTrades(stand, '2024-03-31', third)
  const results = await run(stand, wanted('2024-03-29', '2024-03-31'))
  expect(findings(results)).toEqual([
    '5 ids are missing in 2 places, first after 04:57:00; it ends at 16:18:00',
    'absent',
    null,
  ])
  expect(await gapsOf(stand)).toEqual([
    { cause: 'import', from_ts: '29 04:57', to_ts: '29 05:15', from_id: 1_099, to_id: 1_105 },
    { cause: 'import', from_ts: '29 16:18', to_ts: '30 00:00', from_id: 1_326, to_id: null },
    { cause: 'import', from_ts: '30 00:00', to_ts: '31 00:00', from_id: null, to_id: null },
  ])
  // The next day continues with the next id: nothing but the five is missing.
  await putTrades(stand, '2024-03-30', dayOf(1, 1_327, 600))
  await run(stand, wanted('2024-03-30', '2024-03-30'))
  expect(await gapsOf(stand)).toEqual([
    { cause: 'import', from_ts: '29 04:57', to_ts: '29 05:15', from_id: 1_099, to_id: 1_105 },
    { cause: 'import', from_ts: '30 23:57', to_ts: '31 00:00', from_id: 1_926, to_id: 2_000 },
  ])
  // The source replaces the file; a recheck notices it and mends the day.
  await putTrades(stand, '2024-03-29', first.slice(0, 327))
  const of_first = wanted('2024-03-29', '2024-03-29')
  expect(findings(await run(stand, of_first))).toEqual(['known'])
  const [mended] = await run(stand, of_first, { is_recheck: true })
  expect(mended).toMatchObject({ kind: 'imported', facts: { added_count: 5, finding: null } })
  expect(findings(await run(stand, of_first, { is_recheck: true }))).toEqual(['known'])
  expect(await gapsOf(stand)).toHaveLength(1)
  const { rows } = await stand.pool.query(
    "select version from marketdata.imports where file like '%2024-03-29.zip'",
  )
  expect(rows).toEqual([{ version: 2 }])
})

test('a wrong checksum and a zip that was cut short store nothing, and their days are missing', async () => {
  const stand = await createStand()
  await putTrades(stand, '2024-03-29', dayOf(0, 1), { sum: '0'.repeat(64) })
  await putTrades(stand, '2024-03-30', dayOf(1, 481), { cut: 2_000 })
  const results = await run(stand, wanted('2024-03-29', '2024-03-30'))
  expect(findings(results)).toEqual(['import_checksum', 'import_damaged'])
  const { rows } = await stand.pool.query(
    'select (select count(*) from marketdata.trades) + (select count(*) from marketdata.imports) as n',
  )
  expect(rows).toEqual([{ n: '0' }])
  // Nobody knows the symbol yet, so nothing was missed.
  expect(await gapsOf(stand)).toEqual([])
  await putTrades(stand, '2024-03-31', dayOf(2, 1))
  await run(stand, wanted('2024-03-31', '2024-03-31'))
  await run(stand, wanted('2024-03-29', '2024-03-30'))
  const days = [
    { cause: 'import', from_ts: '29 00:00', to_ts: '30 00:00', from_id: null, to_id: null },
    { cause: 'import', from_ts: '30 00:00', to_ts: '31 00:00', from_id: null, to_id: null },
  ]
  expect(await gapsOf(stand)).toEqual(days)
  await putTrades(stand, '2024-03-29', dayOf(0, 1))
  expect(findings(await run(stand, wanted('2024-03-29', '2024-03-30')))[0]).toBe(null)
  expect(await gapsOf(stand)).toEqual(days.slice(1))
})

test('what was recorded stays, what it lacked is added, and its gap is closed', async () => {
  const stand = await createStand()
  await stand.pool.query(
    "insert into marketdata.symbols (exchange, symbol) values ('binance-futures', 'BTCUSDT')",
  )
  const made = dayOf(0, 1_000)
  const recorded = made.filter(({ id }) => id < 1_200 || id > 1_220)
  const at = (id: number): string => new Date(made[id - 1_000]!.ms).toISOString()
  for (let hour = 0; hour < 24; hour++) {
    const ts = new Date(DAY_MS + hour * 3_600_000).toISOString()
    await stand.pool.query("select marketdata.ensure_hour('trades', $1)", [ts])
  }
  await stand.pool.query(
    `insert into marketdata.trades (ts_exchange, ts_ingest, symbol_id, agg_trade_id, price, qty,
       first_trade_id, is_buyer_maker)
     select ts, ts + interval '5 ms', 1, id, 1, 1, id, true
     from unnest($1::int8[], $2::timestamptz[]) as r (id, ts)`,
    [recorded.map(({ id }) => id), recorded.map(({ id }) => at(id))],
  )
  await stand.pool.query(
    `insert into marketdata.gaps (symbol_id, channel, from_ts, to_ts, from_id, to_id, cause,
       detected_at) values (1, 'trades', $1, $2, 1199, 1221, 'disconnect', now())`,
    [at(1_199), at(1_221)],
  )
  await putTrades(stand, '2024-03-29', made)
  const [result] = await run(stand, wanted('2024-03-29', '2024-03-29'))
  expect(result).toMatchObject({
    closed_gaps: 1,
    facts: { added_count: 21, known_count: recorded.length, finding: null },
  })
  expect(await gapsOf(stand)).toEqual([])
  const { rows } = await stand.pool.query(
    `select count(*)::int as n, count(distinct agg_trade_id)::int as ids,
       count(*) filter (where price = 1)::int as old from marketdata.trades`,
  )
  expect(rows).toEqual([{ n: made.length, ids: made.length, old: recorded.length }])
})

test('single trades are refused where aggregated ones are, and unknown kinds with a reason', async () => {
  const stand = await createStand()
  await putTrades(stand, '2024-03-29', dayOf(0, 1))
  await run(stand, wanted('2024-03-29', '2024-03-29'))
  const single = `1,60000,0.5,30000,${DAY_MS + 5},true\n`
  const bytes = zipOf('BTCUSDT-trades-2024-03-29.csv', single)
  await putFile(folderOf(stand), pathOf('2024-03-29', 'trades'), bytes)
  const of = wanted('2024-03-29', '2024-03-29', { kinds: ['trades'] })
  expect(findings(await run(stand, of))).toEqual(['import_mixed_trades'])
  for (const kind of ['klines_1x', 'nonsense']) {
    expect(() => listFiles({ ...of, kinds: [kind] }), kind).toThrow(`the kind ${kind} cannot be`)
  }
  const spot = { ...of, exchange: 'binance-spot' } as const
  expect(() => listFiles({ ...spot, kinds: ['metrics'] })).toThrow('no files metrics of')
})

test('spot files have microseconds since 2025, and a recorder may have kept milliseconds', async () => {
  const stand = await createStand()
  const us = Date.parse('2025-01-01T00:00:00Z') * 1_000
  await stand.pool.query(
    "insert into marketdata.symbols (exchange, symbol) values ('binance-spot', 'BTCUSDT')",
  )
  await stand.pool.query("select marketdata.ensure_hour('trades', '2025-01-01T00:00:00Z')")
  await stand.pool.query(
    `insert into marketdata.trades (ts_exchange, ts_ingest, symbol_id, agg_trade_id, price, qty,
       first_trade_id, is_buyer_maker)
     values ('2025-01-01T00:00:01.000Z', now(), 1, 8, 93000, 0.1, 8, false)`,
  )
  const lines = [7, 8, 9].map(
    (id) => `${id},93000.5,0.1,${id},${id},${us + id * 125_123},True,True`,
  )
  const path = pathOf('2025-01-01', 'aggTrades', 'spot')
  await putFile(folderOf(stand), path, zipOf('a.csv', lines.join('\r\n')))
  const of = wanted('2025-01-01', '2025-01-01', { exchange: 'binance-spot' })
  await run(stand, of)
  const { rows } = await stand.pool.query(
    `select agg_trade_id::int as id, (extract(epoch from ts_exchange) * 1000000)::int8::text as ts,
       is_buyer_maker from marketdata.trades order by 1`,
  )
  expect(rows).toEqual([
    { id: 7, ts: String(us + 7 * 125_123), is_buyer_maker: true },
    { id: 8, ts: String(us + 1_000_000), is_buyer_maker: false },
    { id: 9, ts: String(us + 9 * 125_123), is_buyer_maker: true },
  ])
})

test('an id that two trades have gives both, as live, and rows of far days none', async () => {
  const stand = await createStand()
  const made = dayOf(0, 1_000)
  const again = { ...made[7]!, ms: made[8]!.ms - 1, qty: 2 }
  const far = { id: 1_480, ms: made[8]!.ms + 9 * 86_400_000 }
  await putTrades(stand, '2024-03-29', [...made.slice(0, 8), again, ...made.slice(8), far])
  const [result] = await run(stand, wanted('2024-03-29', '2024-03-29'))
  expect(result).toMatchObject({
    facts: { added_count: 481, repeated_count: 1, finding: '1 rows are of other days' },
  })
  const { rows } = await stand.pool.query(
    'select qty from marketdata.trades where agg_trade_id = 1007 order by ts_exchange',
  )
  expect(rows).toEqual([{ qty: 0.5 }, { qty: 2 }])
})

test('quotes: an empty side is null, and an hour of silence is missing', async () => {
  const stand = await createStand()
  const rows = Array.from({ length: 1_440 }, (_, minute) => minute).filter(
    (m) => m < 600 || m > 660,
  )
  const lines = rows.map((minute) => {
    const ms = DAY_MS + minute * 60_000
    return `${minute * 7},100.1,${minute === 3 ? 0 : 2},100.2,3,${ms},${ms + 1}`
  })
  const bytes = zipOf('q.csv', lines.join('\n'))
  await putFile(folderOf(stand), pathOf('2024-03-29', 'bookTicker'), bytes)
  const of = wanted('2024-03-29', '2024-03-29', { kinds: ['bookTicker'] })
  expect(findings(await run(stand, of))).toEqual([
    'rows are missing in one place, first after 09:59:00',
  ])
  const found = await stand.pool.query(
    `select count(*)::int as n, count(*) filter (where best_bid is null and bid_qty is null)::int as e
     from marketdata.book_ticker`,
  )
  expect(found.rows).toEqual([{ n: lines.length, e: 1 }])
})

test('Tardis: trades, quotes, books, mark prices and liquidations', async () => {
  const stand = await createStand()
  const us = (s: number): number => (DAY_MS + s * 1_000) * 1_000
  const files: Readonly<Record<string, readonly string[]>> = {
    trades: [
      'exchange,symbol,timestamp,local_timestamp,id,side,price,amount',
      `binance-futures,BTCUSDT,${us(1)},${us(1) + 7},11,buy,60000.5,0.2`,
      `binance-futures,BTCUSDT,${us(2)},${us(2) + 7},12,sell,60000.4,0.1`,
    ],
    quotes: [
      'exchange,symbol,timestamp,local_timestamp,ask_amount,ask_price,bid_price,bid_amount',
      `binance-futures,BTCUSDT,${us(1)},${us(1) + 7},1,60001,60000,2`,
      `binance-futures,BTCUSDT,${us(1)},${us(1) + 8},,,60000,2`,
    ],
    incremental_book_L2: [
      'exchange,symbol,timestamp,local_timestamp,is_snapshot,side,price,amount',
      `binance-futures,BTCUSDT,${us(1)},${us(1) + 7},true,bid,60000,2`,
      `binance-futures,BTCUSDT,${us(1)},${us(1) + 7},true,ask,60001,1`,
      `binance-futures,BTCUSDT,${us(2)},${us(2) + 7},false,bid,60000,0`,
    ],
    derivative_ticker: [
      'exchange,symbol,timestamp,local_timestamp,funding_timestamp,funding_rate,' +
        'predicted_funding_rate,open_interest,last_price,index_price,mark_price',
      `binance-futures,BTCUSDT,${us(1)},${us(1) + 7},${us(28_800)},0.0001,,5,60000,60001,60002.5`,
      `binance-futures,BTCUSDT,${us(2)},${us(2) + 7},,,,5,60000,,`,
    ],
    liquidations: [
      'exchange,symbol,timestamp,local_timestamp,id,side,price,amount',
      `binance-futures,BTCUSDT,${us(1)},${us(1) + 7},,sell,59000,0.3`,
    ],
  }
  await mkdir(folderOf(stand), { recursive: true })
  for (const [kind, lines] of Object.entries(files)) {
    const path = `v1/binance-futures/${kind}/2024/03/29/BTCUSDT.csv.gz`
    const place = join(folderOf(stand), path)
    await mkdir(dirname(place), { recursive: true })
    await writeFile(place, gzipSync(`${lines.join('\n')}\n`))
  }
  const of = wanted('2024-03-29', '2024-03-29', { source: 'tardis', kinds: Object.keys(files) })
  const results = await run(stand, of)
  expect(results.map(({ kind }) => kind)).toEqual(Array(5).fill('imported'))
  const read = async (sql: string): Promise<readonly unknown[]> => {
    const { rows } = await stand.pool.query(sql)
    return rows
  }
  const ingest = '(extract(epoch from ts_ingest - ts_exchange) * 1000000)::int as delay_us'
  expect(
    await read(`select agg_trade_id::int as id, price, qty, is_buyer_maker, ${ingest}
      from marketdata.trades order by 1`),
  ).toEqual([
    { id: 11, price: 60_000.5, qty: 0.2, is_buyer_maker: false, delay_us: 7 },
    { id: 12, price: 60_000.4, qty: 0.1, is_buyer_maker: true, delay_us: 7 },
  ])
  expect(
    await read('select best_bid, best_ask, ask_qty from marketdata.book_ticker order by update_id'),
  ).toEqual([
    { best_bid: 60_000, best_ask: 60_001, ask_qty: 1 },
    { best_bid: 60_000, best_ask: null, ask_qty: null },
  ])
  expect(
    await read(`select depth_kind, bids, asks, final_update_id::text as id,
        prev_final_update_id::text as prev
      from marketdata.depth_events order by ts_exchange`),
  ).toEqual([
    {
      depth_kind: 'snapshot',
      bids: [[60_000, 2]],
      asks: [[60_001, 1]],
      id: String(us(1) + 7),
      prev: null,
    },
    {
      depth_kind: 'diff',
      bids: [[60_000, 0]],
      asks: [],
      id: String(us(2) + 7),
      prev: String(us(1) + 7),
    },
  ])
  expect(
    await read('select mark_price, index_price, funding_rate from marketdata.mark_price'),
  ).toEqual([{ mark_price: 60_002.5, index_price: 60_001, funding_rate: 0.0001 }])
  expect(await read('select side, price, filled_qty from marketdata.liquidations')).toEqual([
    { side: 'sell', price: 59_000, filled_qty: 0.3 },
  ])
  // Recorded quotes stay alone in their seconds, also when the file is imported once more.
  await stand.pool.query('delete from marketdata.imports')
  await run(stand, of)
  expect(await read('select count(*)::int as n from marketdata.book_ticker')).toEqual([{ n: 2 }])
})
