/** Files of funding, open interest, book depth and candles, into tables of their own. */
import { expect, test } from 'vitest'
import { summarizeDays } from '../../../jobs/import/day-summary.ts'
import { listFiles } from '../../../jobs/import/files.ts'
import { createStand, type Stand } from '../stand.ts'
import { findings, folderOf, run, wanted } from './made-files.ts'
import { putFile, zipOf } from '../../../bench/import/zip.ts'

const DAY_MS = Date.parse('2024-03-29T00:00:00Z')
const text = (ms: number): string => new Date(ms).toISOString().slice(0, 19).replace('T', ' ')

const put = (stand: Stand, path: string, lines: readonly string[]): Promise<void> =>
  putFile(folderOf(stand), `data/${path}`, zipOf('a.csv', `${lines.join('\n')}\n`))

async function read({ pool }: Stand, sql: string): Promise<readonly unknown[]> {
  const { rows } = await pool.query(sql)
  return rows
}

const candle = (minute: number, ms: number, close = 101): string =>
  `${ms},100,102,99,${close},7,${ms + 59_999},700,${minute},3,300,0`

test('candles: each minute has to be there, and a replaced file replaces what it said', async () => {
  const stand = await createStand()
  const path = 'futures/um/daily/klines/BTCUSDT/1m/BTCUSDT-1m-2024-03-29.zip'
  const minutes = Array.from({ length: 1_440 }, (_, minute) => minute)
  const at = (minute: number): number => DAY_MS + minute * 60_000
  const header = 'open_time,open,high,low,close,volume,close_time,quote_volume,count,a,b,ignore'
  const first = minutes.filter((m) => m !== 0 && m !== 700).map((m) => candle(m, at(m)))
  await put(stand, path, [header, ...first, first[5]!])
  const of = wanted('2024-03-29', '2024-03-29', { kinds: ['klines'] })
  const results = await run(stand, of)
  expect(findings(results)).toEqual(['rows are missing in 2 places, first after 00:00:00'])
  expect(results[0]).toMatchObject({ facts: { added_count: 1_438, repeated_count: 1 } })
  expect(await summarizeDays(stand.pool, results)).toEqual([
    {
      day: '2024-03-29',
      problems: ['BTCUSDT klines_1m: rows are missing in 2 places, first after 00:00:00'],
      stream_count: 1,
    },
  ])
  expect(await read(stand, 'select row(k.*)::text as t from marketdata.klines k limit 1')).toEqual([
    { t: '(1,60,"2024-03-29 00:01:00+00",100,102,99,101,7,700,1,3,300)' },
  ])
  // The last minute is gone, and every close is another one.
  await put(
    stand,
    path,
    minutes.slice(0, 1_439).map((m) => candle(m, at(m), 100.5)),
  )
  const again = await run(stand, of, { is_recheck: true })
  expect(findings(again)).toEqual(['rows are missing in one place, first after 23:58:00'])
  expect(again[0]).toMatchObject({ facts: { added_count: 1_439, removed_count: 1_438 } })
  expect(
    await read(stand, 'select count(*)::int as n, min(close), max(close) from marketdata.klines'),
  ).toEqual([{ n: 1_439, min: 100.5, max: 100.5 }])
  expect(findings(await run(stand, of, { is_recheck: true }))).toEqual(['known'])
})

test('spot candles of an hour in microseconds', async () => {
  const stand = await createStand()
  const us = Date.parse('2025-01-01T00:00:00Z') * 1_000
  const lines = Array.from(
    { length: 24 },
    (_, hour) => `${us + hour * 3_600_000_000},1,1,1,1,1,0,1,1,1,1,0`,
  )
  await put(stand, 'spot/daily/klines/ETHBTC/1h/ETHBTC-1h-2025-01-01.zip', lines)
  const of = { symbols: ['ETHBTC'], kinds: ['klines_1h'], exchange: 'binance-spot' as const }
  expect(findings(await run(stand, wanted('2025-01-01', '2025-01-01', of)))).toEqual([null])
  expect(
    await read(
      stand,
      `select count(*)::int as n, to_char(max(ts_exchange) at time zone 'UTC', 'YYYY-MM-DD HH24:MI')
         as last, max(interval_s) as interval_s from marketdata.klines`,
    ),
  ).toEqual([{ n: 24, last: '2025-01-01 23:00', interval_s: 3_600 }])
})

test('open interest and ratios, with empty values and out of order', async () => {
  const stand = await createStand()
  const lines = Array.from({ length: 288 }, (_, i) => {
    const ratio = i === 3 ? '' : '1.5'
    return `${text(DAY_MS + (i + 1) * 300_000)},BTCUSDT,80000.5,4800000000.1,${ratio},1.1,0.9,1.01`
  })
  const path = 'futures/um/daily/metrics/BTCUSDT/BTCUSDT-metrics-2024-03-29.zip'
  await put(stand, path, ['create_time,symbol,sum_open_interest', ...lines.toReversed()])
  const of = wanted('2024-03-29', '2024-03-29', { kinds: ['metrics'] })
  expect(findings(await run(stand, of))).toEqual([null])
  expect(
    await read(
      stand,
      `select count(*)::int as n, count(*) filter (where top_account_ratio is null)::int as empty,
         max(open_interest) as open_interest, max(taker_volume_ratio) as taker
       from marketdata.open_interest`,
    ),
  ).toEqual([{ n: 288, empty: 1, open_interest: 80_000.5, taker: 1.01 }])
})

test('quantity in the book by distance, of which an hour is missing', async () => {
  const stand = await createStand()
  const lines = Array.from({ length: 2_880 }, (_, i) => i)
    .filter((i) => i < 600 || i > 720)
    .flatMap((i) =>
      [-5, -1, 1, 5].map((p) => `${text(DAY_MS + i * 30_000)},${p},${100 + p},${6_000_000 + p}`),
    )
  const path = 'futures/um/daily/bookDepth/BTCUSDT/BTCUSDT-bookDepth-2024-03-29.zip'
  await put(stand, path, ['timestamp,percentage,depth,notional', ...lines])
  const of = wanted('2024-03-29', '2024-03-29', { kinds: ['bookDepth'] })
  expect(findings(await run(stand, of))).toEqual([
    'rows are missing in one place, first after 04:59:30',
  ])
  expect(
    await read(
      stand,
      `select distance_percent as p, qty from marketdata.book_depth
       order by ts_exchange, distance_percent limit 2`,
    ),
  ).toEqual([
    { p: -5, qty: 95 },
    { p: -1, qty: 99 },
  ])
})

test('funding comes in whole months, whatever days are asked for', async () => {
  const stand = await createStand()
  const month_ms = Date.parse('2024-03-01T00:00:00Z')
  const lines = Array.from(
    { length: 93 },
    (_, i) => `${month_ms + i * 28_800_000 + (i % 3)},8,${i === 4 ? '-0.00001' : '0.0001'}`,
  )
  const path = 'futures/um/monthly/fundingRate/BTCUSDT/BTCUSDT-fundingRate-2024-03.zip'
  await put(stand, path, ['calc_time,funding_interval_hours,last_funding_rate', ...lines])
  const of = wanted('2024-03-29', '2024-03-30', { kinds: ['fundingRate'] })
  expect(listFiles(of).map((file) => file.path)).toEqual([`data/${path}`])
  expect(findings(await run(stand, of))).toEqual([null])
  expect(
    await read(
      stand,
      `select count(*)::int as n, min(funding_rate) as low, max(interval_h) as interval_h
       from marketdata.funding_rates`,
    ),
  ).toEqual([{ n: 93, low: -0.00001, interval_h: 8 }])
})
