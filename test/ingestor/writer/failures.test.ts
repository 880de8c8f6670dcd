/** The failure matrix: whatever breaks, and when, the rows are in the tables exactly once. */
import { readFileSync } from 'node:fs'
import { join } from 'node:path'
import { beforeAll, describe, expect, test } from 'vitest'
import { silentLogger } from '#core/node/log.ts'
import type { Pool } from '#core/node/pool.ts'
import { type FollowToEndOptions, followToEnd } from '../../../ingestor/writer/follow-to-end.ts'
import { sumOf } from '../../../ingestor/writer/counts.ts'
import { createTestDatabase } from '../../support/database.ts'
import { type Loss, startLossyProxy } from './lossy-proxy.ts'
import { CHOICE, dumpRows, market, temporaryDirectory, trade, writeTape } from './support.ts'

const EVENT_COUNT = 3_000

let tape_dir: string
let expected: readonly string[]

function follow(database_url: string, more: Partial<FollowToEndOptions> = {}) {
  return followToEnd({
    database_url,
    ingestor_id: 'test',
    tape_dir,
    choice: CHOICE,
    dead_letter_path: join(temporaryDirectory(), 'dead.ndjson'),
    log: silentLogger,
    // The tape is read in chunks of a few hundred records, so there are several batches.
    limits: { rows_max: 100, bytes_max: 64 * 1024, age_ms_max: 1 },
    ...more,
  })
}

beforeAll(async () => {
  tape_dir = await writeTape(market(['BTCUSDT', 'ETHUSDT', 'SOLUSDT'], EVENT_COUNT))
  const database = await createTestDatabase()
  await follow(database.url)
  expected = await dumpRows(database.pool)
  expect(expected).toHaveLength(EVENT_COUNT)
})

/** Sessions of the database that wait for a lock. */
async function waitingCount(pool: Pool): Promise<number | null> {
  const { rowCount } = await pool.query(
    `select from pg_stat_activity
     where datname = current_database() and wait_event_type = 'Lock'`,
  )
  return rowCount
}

describe('connection lost', () => {
  for (const [name, loss] of [
    // A batch goes to Postgres in one piece; the proxy cuts it at these texts.
    ['before the transaction', { when: 'begin\0', skip: 2, loses: 'before' }],
    ['before the rows', { when: 'copy marketdata.book_ticker', skip: 1, loses: 'before' }],
    ['in the middle of the rows', { when: 'PGCOPY', skip: 2, loses: 'half' }],
    ['between two tables', { when: 'copy marketdata.trades', skip: 1, loses: 'before' }],
    ['in the middle of the second table', { when: 'PGCOPY', skip: 3, loses: 'half' }],
    // The name of the prepared statement, in its Bind message. A session prepares it first.
    ['while preparing', { when: '\0progress\0', skip: 0, loses: 'answer' }],
    ['before the position', { when: '\0progress\0', skip: 2, loses: 'before' }],
    ['after the position', { when: '\0progress\0', skip: 1, loses: 'answer' }],
    ['before the commit', { when: 'commit\0', skip: 2, loses: 'before' }],
    ['after the commit, its acknowledgement lost', { when: 'commit\0', skip: 2, loses: 'answer' }],
    [
      'while the position is being read',
      { when: 'tape_positions where', skip: 0, loses: 'answer' },
    ],
    ['while a partition is being made', { when: 'ensure_hour', skip: 1, loses: 'answer' }],
    [
      'while symbols are being registered',
      { when: 'marketdata.symbols', skip: 1, loses: 'answer' },
    ],
  ] as const satisfies readonly (readonly [string, Loss])[]) {
    test(`${name}: every row once, and counted once`, async () => {
      const database = await createTestDatabase()
      const proxy = await startLossyProxy(database.url, loss)
      const counts = await follow(proxy.url)
      expect(proxy.has_struck()).toBe(true)
      expect(await dumpRows(database.pool)).toEqual(expected)
      expect(sumOf(counts.rows)).toBe(EVENT_COUNT)
      expect(sumOf(counts.duplicates)).toBe(0)
      expect(counts.frames).toBe(EVENT_COUNT)
    })
  }
})

describe('Postgres refuses', () => {
  for (const [name, sqlstate] of [
    ['disk full', '53100'],
    ['out of memory', '53200'],
    ['a statement cancelled', '57014'],
    ['a deadlock', '40P01'],
    ['a read-only server', '25006'],
  ] as const) {
    test(`${name}, three times: every row once`, async () => {
      const database = await createTestDatabase()
      // A sequence keeps counting through rollbacks.
      await database.pool.query(`create sequence marketdata.failures;
        create function marketdata.fail() returns trigger language plpgsql as $$
        begin
          if nextval('marketdata.failures') between 900 and 902 then
            raise exception 'made up' using errcode = '${sqlstate}';
          end if;
          return new;
        end $$;
        create trigger fail before insert on marketdata.trades
          for each row execute function marketdata.fail()`)
      const counts = await follow(database.url)
      expect(await dumpRows(database.pool)).toEqual(expected)
      expect(sumOf(counts.rows)).toBe(EVENT_COUNT)
      const { rows } = await database.pool.query<{ last: string }>(
        'select last_value as last from marketdata.failures',
      )
      expect(Number(rows[0]!.last)).toBeGreaterThan(902)
    })
  }
})

describe('duplicates', () => {
  test('another ingestor with the same tape changes nothing and counts every row as a duplicate', async () => {
    const database = await createTestDatabase()
    await follow(database.url)
    const counts = await follow(database.url, { ingestor_id: 'second' })
    expect(sumOf(counts.rows)).toBe(0)
    expect(sumOf(counts.duplicates)).toBe(EVENT_COUNT)
    expect(await dumpRows(database.pool)).toEqual(expected)
  })

  test('a batch with every event twice is stored once, and the first row is kept', async () => {
    const entries = market(['BTCUSDT'], 60)
    const late = entries.map((entry) => ({
      ...entry,
      ts_ingest: (entry.ts_ingest + 777) as typeof entry.ts_ingest,
    }))
    const database = await createTestDatabase()
    const counts = await follow(database.url, {
      tape_dir: await writeTape([...entries, ...late]),
      limits: { rows_max: 10_000, bytes_max: 1_000_000, age_ms_max: 1 },
    })
    expect(sumOf(counts.rows)).toBe(60)
    expect(sumOf(counts.duplicates)).toBe(60)
    const once = await createTestDatabase()
    await follow(once.url, { tape_dir: await writeTape(entries) })
    expect(await dumpRows(database.pool)).toEqual(await dumpRows(once.pool))
  })

  test('two ingestors at the same time with two tapes of the same frames give the rows of one', async () => {
    const database = await createTestDatabase()
    const other = await writeTape(market(['BTCUSDT', 'ETHUSDT', 'SOLUSDT'], EVENT_COUNT))
    const counts = await Promise.all([
      follow(database.url, { ingestor_id: 'left' }),
      follow(database.url, { ingestor_id: 'right', tape_dir: other }),
    ])
    expect(await dumpRows(database.pool)).toEqual(expected)
    const [left, right] = counts
    expect(sumOf(left.rows) + sumOf(right.rows)).toBe(EVENT_COUNT)
    expect(sumOf(left.duplicates) + sumOf(right.duplicates)).toBe(EVENT_COUNT)
  })
})

test('a second writer with the same id: every row once, and counted by one of them', async () => {
  const database = await createTestDatabase()
  const counts = await Promise.all([follow(database.url), follow(database.url)])
  expect(await dumpRows(database.pool)).toEqual(expected)
  const [left, right] = counts
  expect(sumOf(left.rows) + sumOf(right.rows)).toBe(EVENT_COUNT)
  expect(sumOf(left.duplicates) + sumOf(right.duplicates)).toBe(0)
})

test('a batch that two writers send at once is counted by the one that Postgres took it from', async () => {
  const database = await createTestDatabase()
  await follow(database.url)
  // What is left are the partitions and the symbols, so the next statement of both is the batch.
  await database.pool.query(`truncate marketdata.book_ticker, marketdata.trades,
    marketdata.stream_offsets, marketdata.tape_positions`)
  const holder = await database.pool.connect()
  await holder.query('begin; lock table marketdata.book_ticker in exclusive mode')
  const limits = { rows_max: 10_000, bytes_max: 8_000_000, age_ms_max: 1 }
  const both = Promise.all([follow(database.url, { limits }), follow(database.url, { limits })])
  await expect.poll(() => waitingCount(database.pool)).toBe(2)
  await holder.query('rollback')
  holder.release()
  const rows = (await both).map((counts) => sumOf(counts.rows))
  expect(rows.toSorted((a, b) => a - b)).toEqual([0, EVENT_COUNT])
  expect(await dumpRows(database.pool)).toEqual(expected)
})

test('a second writer that starts together with the first does not take its position back', async () => {
  const database = await createTestDatabase()
  await follow(database.url)
  const { rows } = await database.pool.query<{ position: object }>(
    'delete from marketdata.tape_positions p returning to_jsonb(p) as position',
  )
  const first = await database.pool.connect()
  await first.query('begin')
  await first.query(
    `insert into marketdata.tape_positions
     select * from jsonb_populate_record(null::marketdata.tape_positions, $1)`,
    [rows[0]!.position],
  )
  const second = follow(database.url)
  // It has seen no position, and waits to store the tape's beginning.
  await expect.poll(() => waitingCount(database.pool)).toBe(1)
  await first.query('commit')
  first.release()
  const { frames, duplicates } = await second
  expect([frames, sumOf(duplicates)]).toEqual([0, 0])
  expect(await dumpRows(database.pool)).toEqual(expected)
})

test('a position that someone has moved back ends the session, and nothing is lost', async () => {
  const database = await createTestDatabase()
  await database.pool.query(`create sequence marketdata.commits;
    create function marketdata.set_back() returns trigger language plpgsql as $$
    begin
      if nextval('marketdata.commits') = 5 then new.tape_position = old.tape_position; end if;
      return new;
    end $$;
    create trigger set_back before update on marketdata.tape_positions
      for each row execute function marketdata.set_back()`)
  const counts = await follow(database.url)
  expect(await dumpRows(database.pool)).toEqual(expected)
  expect(counts.frames).toBeGreaterThan(EVENT_COUNT)
  expect(sumOf(counts.rows)).toBe(EVENT_COUNT)
  expect(sumOf(counts.duplicates)).toBe(counts.frames - EVENT_COUNT)
})

describe('bad rows', () => {
  const frames = [
    ...Array.from({ length: 40 }, (_, index) => trade('BTCUSDT', 100 + index, index)),
    trade('BTCUSDT', 140, 40, 2, '999999.00'),
    ...Array.from({ length: 40 }, (_, index) => trade('BTCUSDT', 141 + index, 41 + index)),
    trade('BTCUSDT', 181, 81, 2, '888888.00'),
  ]

  test('rows that a constraint refuses become dead letters with the reason; the rest is stored', async () => {
    const database = await createTestDatabase()
    await database.pool.query(
      'alter table marketdata.trades add constraint plausible check (price < 10000)',
    )
    const dead_letter_path = join(temporaryDirectory(), 'dead.ndjson')
    const counts = await follow(database.url, {
      tape_dir: await writeTape(frames),
      dead_letter_path,
    })
    expect(counts.rows.trades).toBe(80)
    expect(counts.dead_letters).toBe(2)
    expect(counts.gaps).toBe(0)
    const letters = readFileSync(dead_letter_path, 'utf8')
      .trimEnd()
      .split('\n')
      .map((line) => JSON.parse(line) as Record<string, unknown>)
    expect(letters).toHaveLength(2)
    expect(letters[0]).toMatchObject({
      table: 'trades',
      sqlstate: '23514',
      row: { agg_trade_id: 140, price: 999_999, qty: 0.01, non_rpi_qty: null },
    })
    expect(letters[1]).toMatchObject({ row: { agg_trade_id: 181 } })
  })

  test('a partition that someone dropped is created again', async () => {
    const database = await createTestDatabase()
    await database.pool
      .query(`create function marketdata.ensure_nothing() returns void language sql as 'select';
      alter function marketdata.ensure_hour(text, timestamptz) rename to ensure_hour_really;
      create sequence marketdata.calls;
      create function marketdata.ensure_hour(table_name text, hour timestamptz) returns void language plpgsql as $$
      begin
        if nextval('marketdata.calls') > 1 then perform marketdata.ensure_hour_really(table_name, hour); end if;
      end $$`)
    const counts = await follow(database.url)
    expect(sumOf(counts.rows)).toBe(EVENT_COUNT)
    expect(await dumpRows(database.pool)).toEqual(expected)
  })
})
