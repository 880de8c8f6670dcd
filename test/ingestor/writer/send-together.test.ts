/** Statements and COPYs in one round trip, and what happens to the rest if one of them fails. */
import { expect, test } from 'vitest'
import { createPool, type Pool, withClient } from '#core/node/pool.ts'
import { RAW_TABLES } from '#core/tables.ts'
import { micros } from '#core/time.ts'
import type { CopyRows } from '../../../ingestor/writer/copy-encoder.ts'
import { sendTogether } from '../../../ingestor/writer/send-together.ts'
import { joinRows, RowBuffer } from '../../../ingestor/writer/row-buffer.ts'
import { createTestDatabase } from '../../support/database.ts'
import { has_pgbouncer, startPgbouncer } from '../../support/pgbouncer.ts'

const TARGET = 'marketdata.book_ticker'
/** A sequence keeps counting through rollbacks, so it shows whether the statement ran. */
const COUNTED = {
  name: 'counted',
  text: `select nextval('calls')::int as call, (select count(*)::int from ${TARGET}) as row_count`,
}

function quotes(count: number): CopyRows {
  const rows = new RowBuffer(RAW_TABLES.book_ticker)
  for (let index = 0; index < count; index++) {
    rows.push({
      kind: 'book_ticker',
      exchange: 'binance-futures',
      symbol: 'BTCUSDT',
      ts_exchange: micros(Date.UTC(2026, 2, 1, 12) * 1_000 + index),
      ts_ingest: micros(Date.UTC(2026, 2, 1, 12) * 1_000 + index),
      update_id: index,
      best_bid: 100,
      best_ask: 101,
      bid_qty: 1,
      ask_qty: 2,
    })
  }
  return joinRows(RAW_TABLES.book_ticker, [{ symbol_id: 7, rows }])
}

async function database(): Promise<Pool> {
  const { pool } = await createTestDatabase()
  await pool.query(`select marketdata.ensure_hour('book_ticker', '2026-03-01T12:00:00Z')`)
  await pool.query('create sequence calls')
  return pool
}

const COUNT = { name: 'counted', values: [] } as const

test('steps see what the steps before them did, and each has its result', async () => {
  const pool = await database()
  await withClient(pool, async (client) => {
    await client.query(COUNTED)
    const steps = ['begin', { target: TARGET, rows: quotes(2_000) }, COUNT, 'rollback'] as const
    const results = await sendTogether(client, steps)
    expect(results.map(({ command }) => command)).toEqual(['BEGIN', 'COPY', 'SELECT', 'ROLLBACK'])
    expect(results[2]!.rows).toEqual([{ call: 2, row_count: 2_000 }])
    expect((await client.query(COUNTED)).rows).toEqual([{ call: 3, row_count: 0 }])
    expect((await sendTogether(client, [COUNT]))[0]!.rows).toEqual([{ call: 4, row_count: 0 }])
  })
})

for (const [name, steps, code] of [
  ['a statement', ['begin', 'select nothing', { target: TARGET, rows: quotes(2_000) }], '42703'],
  ['the beginning of a COPY', ['begin', { target: 'nowhere', rows: quotes(2_000) }], '42P01'],
  [
    'a row, far from the end',
    [
      'begin',
      { target: TARGET, rows: quotes(1) },
      { target: TARGET, rows: quotes(20_000) },
      { target: TARGET, rows: quotes(1) },
    ],
    '23505',
  ],
] as const) {
  test(`if Postgres refuses ${name}, it commits nothing, and the connection goes on`, async () => {
    const pool = await database()
    await withClient(pool, async (client) => {
      await client.query(COUNTED)
      await expect(sendTogether(client, [...steps, COUNT, 'commit'])).rejects.toMatchObject({
        code,
      })
      await client.query('rollback')
      expect((await client.query(COUNTED)).rows).toEqual([{ call: 2, row_count: 0 }])
    })
  })
}

test.skipIf(!has_pgbouncer)('through a pooler in session mode it is the same', async () => {
  const { url, pool: direct } = await createTestDatabase()
  await direct.query(`select marketdata.ensure_hour('book_ticker', '2026-03-01T12:00:00Z')`)
  await direct.query('create sequence calls')
  const pool = createPool(await startPgbouncer(url, 'session'), 'test', 1)
  await withClient(pool, async (client) => {
    await client.query(COUNTED)
    const rows = { target: TARGET, rows: quotes(20_000) }
    await expect(sendTogether(client, ['begin', rows, rows, COUNT])).rejects.toThrow('duplicate')
    await client.query('rollback')
    const results = await sendTogether(client, ['begin', rows, COUNT, 'commit'])
    expect(results[2]!.rows).toEqual([{ call: 2, row_count: 20_000 }])
  })
  await pool.end()
})
