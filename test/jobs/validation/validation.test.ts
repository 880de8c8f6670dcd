import { expect, test } from 'vitest'
import { silentLogger } from '#core/node/log.ts'
import { createObjectStore } from '#core/node/object-store.ts'
import type { Pool } from '#core/node/pool.ts'
import { reportText } from '../../../infra/cli/validate.ts'
import type { Report } from '#core/validation.ts'
import { runValidation, validate } from '../../../jobs/validation/run-validation.ts'
import { takeBucket } from '../../support/bucket.ts'
import { createTestDatabase } from '../../support/database.ts'
import { atFileEnd } from '../../support/file-end.ts'
import {
  diff,
  type Entry,
  markPrice,
  quote,
  START_MS,
  trade,
} from '../../ingestor/writer/support.ts'
import { ingest } from '../rollups/support.ts'

/** Quotes and depth every 20 s for 330 s, and trades: a market without faults. */
function soundMarket(symbols: readonly string[]): readonly Entry[] {
  const entries: Entry[] = []
  for (const symbol of symbols) {
    for (let ms = 0, id = 10; ms <= 330_000; ms += 20_000, id++) {
      entries.push(quote(symbol, 7_000, ms), diff(symbol, id - 1, id, ms), trade(symbol, id, ms))
    }
  }
  return entries
}

const NOW_MS = START_MS + 335_000

const codesOf = (report: Report) =>
  report.findings.map(({ check, code, table_name, symbols }) =>
    [check, code, table_name, ...symbols].join(' '),
  )

async function spoil(pool: Pool, sql: string): Promise<readonly string[]> {
  await pool.query(sql)
  return codesOf(await validate(pool, NOW_MS))
}

test('a sound market: no findings, and the report says what was checked', async () => {
  const database = await createTestDatabase()
  await ingest(database, soundMarket(['BTCUSDT', 'ETHUSDT']))
  const report = await validate(database.pool, NOW_MS)
  expect(codesOf(report)).toEqual([])
  expect(reportText(report)).toBe(
    `Data as of 2026-03-01T13:05:34.500000Z
structure  ok       (5 tables)
ingestors  ok       (0 ingestors)
freshness  ok       (6 streams)
quality    ok       (60 rows)
frequency  ok       (4 streams)
rates      ok       (0 symbols)
books      ok       (2 books)
clock      ok       (0 trades)
datasets   skipped
`,
  )
})

test('structure: a column, a type, a key and a table that differ', async () => {
  const { pool } = await createTestDatabase()
  expect(
    await spoil(
      pool,
      `alter table marketdata.trades drop column first_trade_id;
      alter table marketdata.mark_price alter column mark_price type real;
      alter table marketdata.trades drop constraint trades_pkey;
      drop table marketdata.liquidations`,
    ),
  ).toEqual([
    'structure column_missing trades',
    'structure key_differs trades',
    'structure column_differs mark_price',
    'structure table_missing liquidations',
  ])
  const report = await validate(pool, NOW_MS)
  expect(report.findings[1]!.sentence).toBe(
    'The primary key of trades is (), expected (symbol_id, ts_exchange, agg_trade_id).',
  )
  expect(reportText(report)).toContain('quality    skipped')
  await pool.query("delete from marketdata.schema_migrations where name like '0014%'")
  expect(codesOf(await validate(pool, NOW_MS))[0]).toBe('structure migration_missing ')
})

test('freshness: a table, a symbol and a rollup that stopped; trades may be rare; delisted symbols do not count', async () => {
  const database = await createTestDatabase()
  const { pool } = database
  await ingest(database, soundMarket(['BTCUSDT', 'ETHUSDT', 'SOLUSDT']))
  const old = "ts_exchange > '2026-03-01T13:00:20Z'"
  const of = (symbol: string) =>
    `symbol_id = (select id from marketdata.symbols where symbol = '${symbol}')`
  expect(
    await spoil(
      pool,
      `delete from marketdata.book_ticker where ${of('ETHUSDT')} and ${old};
      delete from marketdata.trades where ${of('ETHUSDT')} and ${old};
      delete from marketdata.depth_events where ${old};
      update marketdata.rollup_watermarks set refreshed_at = '2026-03-01T13:00:00Z' where rollup = 'bt_1s'`,
    ),
  ).toEqual([
    'freshness symbol_stale book_ticker ETHUSDT',
    'freshness table_stale depth_events',
    'freshness rollup_stale bt_1s',
    'frequency too_rare book_ticker ETHUSDT',
    'frequency too_rare depth_events BTCUSDT ETHUSDT SOLUSDT',
  ])
  const left = await spoil(
    pool,
    "update marketdata.symbols set is_active = false where symbol = 'ETHUSDT'",
  )
  expect(left.join('\n')).not.toContain('ETHUSDT')
  expect(await spoil(pool, 'delete from marketdata.stream_offsets')).toEqual([
    'freshness nothing_heard ',
  ])
})

test('freshness: a lost stream is reported at once; a stream that ended or may be silent is not', async () => {
  const database = await createTestDatabase()
  const { pool } = database
  await ingest(database, soundMarket(['BTCUSDT', 'ETHUSDT', 'XAUUSDT']))
  const quiet = "ts_exchange > '2026-03-01T13:00:20Z' and symbol_id ="
  const id = (symbol: string) => `(select id from marketdata.symbols where symbol = '${symbol}')`
  expect(
    await spoil(
      pool,
      `update marketdata.symbols set may_rest = true where symbol = 'XAUUSDT';
      delete from marketdata.book_ticker where ${quiet} ${id('XAUUSDT')};
      delete from marketdata.depth_events where ${quiet} ${id('ETHUSDT')};
      update marketdata.stream_offsets set deaf_cause = 'delisted' where symbol_id = ${id('ETHUSDT')};
      update marketdata.stream_offsets set deaf_cause = 'disconnect', lost_at = now()
        where symbol_id = ${id('BTCUSDT')} and channel = 'trades'`,
    ),
  ).toEqual(['freshness stream_lost trades BTCUSDT'])
})

for (const [name, sql, expected] of [
  ['not a number', "update marketdata.trades set qty = 'NaN' where ID", 'quality no_number trades'],
  [
    'a price of 0',
    'update marketdata.trades set price = 0 where ID',
    'quality price_not_positive trades',
  ],
  [
    'a negative quantity',
    'update marketdata.book_ticker set bid_qty = -1 where ID',
    'quality bad_qty book_ticker',
  ],
  [
    'a crossed book',
    'update marketdata.book_ticker set best_bid = best_ask + 1 where ID',
    'quality crossed book_ticker',
  ],
  [
    'a row that was contradicted',
    `insert into marketdata.conflicts (ingestor_id, table_name, symbol_id, ts_exchange, kept, refused)
    select 'test', 'trades', symbol_id, ts_exchange, '{"price": 1}', '{"price": 2}' from marketdata.trades where ID`,
    'quality conflict trades',
  ],
  [
    'an outlier',
    'update marketdata.trades set price = price * 1.2 where ID',
    'quality outlier trades',
  ],
] as const) {
  test(`quality: ${name}`, async () => {
    const database = await createTestDatabase()
    await ingest(database, soundMarket(['BTCUSDT', 'ETHUSDT']))
    const id = `symbol_id = (select id from marketdata.symbols where symbol = 'BTCUSDT')
      and ts_exchange = '2026-03-01T13:02:59.5Z'`
    const codes = await spoil(database.pool, sql.replace('ID', id))
    expect(codes).toContain(`${expected} binance-futures BTCUSDT`)
    expect(codes.every((code) => code.startsWith('quality') && !code.includes('ETHUSDT'))).toBe(
      true,
    )
  })
}

test('a move of the whole market is not an outlier', async () => {
  const database = await createTestDatabase()
  await ingest(database, soundMarket(['BTCUSDT']))
  const codes = await spoil(
    database.pool,
    `update marketdata.trades
    set price = price * (1 + extract(epoch from ts_exchange - '2026-03-01T13:00:00Z') / 500)`,
  )
  expect(codes).toEqual([])
})

test('frequency: one silent minute of five', async () => {
  const database = await createTestDatabase()
  const entries = soundMarket(['BTCUSDT', 'ETHUSDT']).filter(
    ({ payload, ts_ingest }) =>
      !payload.includes('ethusdt@bookTicker') ||
      Math.abs(ts_ingest / 1_000 - START_MS - 190_000) > 50_000,
  )
  await ingest(database, [...entries, markPrice('BTCUSDT', 0)])
  const report = await validate(database.pool, NOW_MS)
  expect(codesOf(report)).toEqual(['frequency too_rare book_ticker ETHUSDT'])
  expect(reportText(report)).toContain(
    `frequency  1 found  (4 streams)
  - binance-futures book_ticker: 1 of 2 symbols had no row in one of the last 5 minutes, expected a row every minute.
    ETHUSDT
`,
  )
})

test('frequency: minutes before a stream began do not count', async () => {
  const database = await createTestDatabase()
  const entries = soundMarket(['BTCUSDT', 'ETHUSDT']).filter(
    ({ payload, ts_ingest }) =>
      !payload.includes('ethusdt') || ts_ingest / 1_000 - START_MS > 190_000,
  )
  await ingest(database, [...entries, markPrice('BTCUSDT', 0)])
  const report = await validate(database.pool, NOW_MS)
  expect(codesOf(report).filter((code) => code.startsWith('frequency'))).toEqual([])
})

test('the job writes its findings to the log of a successful run, and stores the report', async () => {
  const database = await createTestDatabase()
  const { pool } = database
  await ingest(database, soundMarket(['BTCUSDT']))
  await pool.query('update marketdata.trades set price = -1')
  const store = createObjectStore(takeBucket())
  atFileEnd(() => store.close())
  const { row_count } = await runValidation({ pool, store, log: silentLogger, now: () => NOW_MS })
  const { rows } = await pool.query(
    `select status, row_count, line ->> 'code' as code, line -> 'symbols' as symbols, line ->> 'level' as level
     from marketdata.job_runs, jsonb_array_elements(log_lines) as line`,
  )
  expect(rows).toEqual([
    {
      status: 'done',
      row_count: String(row_count),
      code: 'price_not_positive',
      symbols: ['binance-futures BTCUSDT'],
      level: 'warn',
    },
  ])
  // Reports are kept for a week.
  const times = 'select checked_at from marketdata.validation_reports order by checked_at'
  await pool.query(
    `update marketdata.validation_reports set checked_at = checked_at - interval '8 days'`,
  )
  await runValidation({ pool, store, log: silentLogger, now: () => NOW_MS })
  expect((await pool.query(times)).rows).toEqual([{ checked_at: new Date(NOW_MS) }])
  await runValidation({ pool, store, log: silentLogger, now: () => NOW_MS + 1_000 })
  expect((await pool.query(times)).rows).toHaveLength(2)
  const { rows: stored } = await pool.query(
    `select report, finding_count from marketdata.validation_reports where checked_at = $1`,
    [new Date(NOW_MS)],
  )
  const report = await validate(pool, NOW_MS, store)
  expect(report.findings).toMatchObject([{ symbol_count: 1 }])
  expect(stored).toEqual([{ report, finding_count: 1 }])
})
