import { expect, test } from 'vitest'
import type { Pool } from '#core/node/pool.ts'
import { createTestDatabase } from '../../support/database.ts'
import { diff, quote, trade } from '../../ingestor/writer/support.ts'
import { after, ingest, randomEntries, refreshAll, seeded } from './support.ts'

async function lines(pool: Pool, where = 'true'): Promise<readonly string[]> {
  const { rows } = await pool.query<{ line: string }>(
    `select m::text as line from marketdata.market_data_1s m where ${where} order by symbol, bucket`,
  )
  return rows.map((row) => row.line)
}

test('one row per second and symbol, with null where a stream was silent', async () => {
  const database = await createTestDatabase()
  const { pool } = database
  await ingest(database, [
    quote('BTCUSDT', 10, 500),
    quote('BTCUSDT', 12, 900),
    trade('BTCUSDT', 2, 700),
    trade('BTCUSDT', 3, 800, 2, '101.00'),
    diff('BTCUSDT', 4, 5, 2_600),
  ])
  const expected = [
    {
      bucket: '13:00:00',
      bid_open: 101,
      bid_close: 101.2,
      quote_count: '2',
      open: 100.1,
      close: 101,
      trade_count: '2',
      buy_ratio: 0.5,
      vwap: 100.55,
      diff_count: null,
    },
    {
      bucket: '13:00:02',
      bid_open: null,
      bid_close: null,
      quote_count: null,
      open: null,
      close: null,
      trade_count: null,
      buy_ratio: null,
      vwap: null,
      diff_count: '1',
    },
  ]
  const read = `select to_char(bucket at time zone 'UTC', 'HH24:MI:SS') as bucket, bid_open, bid_close,
    quote_count, open, close, trade_count, buy_ratio, round(vwap::numeric, 9)::float8 as vwap, diff_count
    from marketdata.market_data_1s where symbol = 'BTCUSDT' order by market_data_1s.bucket`
  expect((await pool.query(read)).rows).toEqual(expected)
  await refreshAll(pool, after(100_000))
  expect((await pool.query(read)).rows).toEqual(expected)
})

test('the newest seconds are the same before and after a refresh', async () => {
  const database = await createTestDatabase()
  const { pool } = database
  await ingest(database, randomEntries(seeded(41), 600, 400_000))
  const fresh = await lines(pool)
  expect(fresh.length).toBeGreaterThan(200)
  for (const now_ms of [100_000, 250_000, 1_000_000]) {
    await refreshAll(pool, after(now_ms))
    expect(await lines(pool)).toEqual(fresh)
  }
})

test('bounds on symbol and bucket select their part, above and below the watermark', async () => {
  const database = await createTestDatabase()
  const { pool } = database
  await ingest(database, randomEntries(seeded(42), 600, 400_000))
  await refreshAll(pool, after(200_000))
  const all = await lines(pool)
  const of_eth = all.filter((line) => line.includes('ETHUSDT'))
  expect(await lines(pool, "symbol = 'ETHUSDT'")).toEqual(of_eth)
  const part =
    "symbol = 'ETHUSDT' and bucket >= '2026-03-01T13:01:00Z' and bucket < '2026-03-01T13:05:00Z'"
  const found = await lines(pool, part)
  expect(found.length).toBeGreaterThan(20)
  expect(of_eth.join('\n')).toContain(found.join('\n'))
})

test('the edge’s database role can read it', async () => {
  const database = await createTestDatabase()
  const { pool } = database
  await ingest(database, [quote('BTCUSDT', 10, 500)])
  const client = await pool.connect()
  await client.query('begin; set local role booktape_reader')
  const { rows } = await client.query('select symbol, bid_open from marketdata.market_data_1s')
  await client.query('rollback')
  client.release()
  expect(rows).toEqual([{ symbol: 'BTCUSDT', bid_open: 101 }])
})
