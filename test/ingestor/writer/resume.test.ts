/** Where a follower resumes, and when it refuses to. */
import { cpSync, readdirSync, readFileSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { expect, test } from 'vitest'
import { silentLogger } from '#core/node/log.ts'
import { sumOf } from '../../../ingestor/writer/counts.ts'
import { followToEnd } from '../../../ingestor/writer/follow-to-end.ts'
import { createTestDatabase } from '../../support/database.ts'
import {
  appendAll,
  CHOICE,
  dumpRows,
  market,
  openTestTape,
  quote,
  rest,
  temporaryDirectory,
  text,
  trade,
  writeTape,
} from './support.ts'

function follow(database_url: string, tape_dir: string, ingestor_id = 'test') {
  return followToEnd({
    database_url,
    ingestor_id,
    tape_dir,
    choice: CHOICE,
    dead_letter_path: join(tape_dir, 'dead.ndjson'),
    log: silentLogger,
  })
}

test('a second run reads only what is new on the tape', async () => {
  const database = await createTestDatabase()
  const tape_dir = await writeTape([quote('BTCUSDT', 1, 0), quote('BTCUSDT', 2, 1)])
  expect((await follow(database.url, tape_dir)).frames).toBe(2)
  expect((await follow(database.url, tape_dir)).frames).toBe(0)
  const tape = openTestTape(tape_dir)
  appendAll(tape, [quote('BTCUSDT', 3, 2)])
  await tape.close()
  expect((await follow(database.url, tape_dir)).frames).toBe(1)
  expect(await dumpRows(database.pool)).toHaveLength(3)
})

test('another tape of the same ingestor is read from its beginning', async () => {
  const database = await createTestDatabase()
  await follow(database.url, await writeTape([quote('BTCUSDT', 1, 0), quote('BTCUSDT', 2, 1)]))
  const counts = await follow(
    database.url,
    await writeTape([quote('BTCUSDT', 2, 1), quote('BTCUSDT', 3, 2)]),
  )
  expect(counts).toMatchObject({
    frames: 2,
    rows: { book_ticker: 1 },
    duplicates: { book_ticker: 1 },
  })
})

test('a position set back to the beginning replays the tape and changes nothing', async () => {
  const database = await createTestDatabase()
  const tape_dir = await writeTape(market(['BTCUSDT', 'ETHUSDT'], 400))
  await follow(database.url, tape_dir)
  const before = await dumpRows(database.pool)
  await database.pool.query('update marketdata.tape_positions set tape_position = 0')
  const counts = await follow(database.url, tape_dir)
  expect(sumOf(counts.rows)).toBe(0)
  expect(sumOf(counts.duplicates)).toBe(400)
  expect(counts.gaps).toBe(0)
  expect(await dumpRows(database.pool)).toEqual(before)
})

test('an older copy of the tape that ends before the committed position is refused with a reason', async () => {
  const database = await createTestDatabase()
  const tape_dir = await writeTape([quote('BTCUSDT', 1, 0)])
  const copy = temporaryDirectory()
  cpSync(tape_dir, copy, { recursive: true })
  const tape = openTestTape(tape_dir)
  appendAll(tape, [quote('BTCUSDT', 2, 1)])
  await tape.close()
  await follow(database.url, tape_dir)
  await expect(follow(database.url, copy)).rejects.toMatchObject({
    code: 'position_beyond_tape',
    message: expect.stringContaining('ingestor test up to position'),
  })
})

test('damage in the tape is counted and becomes a gap, and the follower continues', async () => {
  const database = await createTestDatabase()
  const tape_dir = await writeTape([
    quote('BTCUSDT', 1, 0),
    text(1, JSON.stringify({ stream: 'btcusdt@bookTicker', data: 'DAMAGED'.repeat(20) })),
    quote('BTCUSDT', 3, 2_000),
  ])
  const segment = join(tape_dir, readdirSync(tape_dir).filter((name) => name.endsWith('.tape'))[0]!)
  const bytes = readFileSync(segment)
  bytes.write('damaged', bytes.indexOf('DAMAGED'))
  writeFileSync(segment, bytes)
  const counts = await follow(database.url, tape_dir)
  expect(counts.rows.book_ticker).toBe(2)
  expect(counts.damaged_bytes).toBeGreaterThan(100)
  const { rows } = await database.pool.query('select cause, from_id, to_id from marketdata.gaps')
  expect(rows).toEqual([{ cause: 'tape_cut', from_id: '1', to_id: '3' }])
})

test('every frame counts in one place: events, control, ignored by class, rejected by reason', async () => {
  const database = await createTestDatabase()
  const entries = [
    quote('BTCUSDT', 1, 0),
    trade('BTCUSDT', 1, 1),
    text(2, '{"result":null,"id":1}'),
    text(3, 'no json at all'),
    text(4, '{"stream":"btcusdt@markPrice@1s","data":{"e":"markPriceUpdate","E":1,"s":"BTCUSDT"}}'),
    text(5, '{"stream":"btcusdt@bookTicker","data":{"e":"bookTicker","u":-4,"s":"BTCUSDT"}}'),
    rest(6, '/fapi/v1/time', '{"serverTime":1}'),
  ]
  const counts = await follow(database.url, await writeTape(entries))
  expect(counts.frames).toBe(6)
  expect(counts.rest_answers).toBe(1)
  expect(counts.event_frames).toBe(2)
  expect(counts.control).toBe(1)
  expect(counts.ignored).toEqual({ markPriceUpdate: 1, time: 1 })
  expect(sumOf(counts.rejected as Record<string, number>)).toBe(2)
  expect(counts.rejected.not_json).toBe(1)
})

test('the listing on the tape fills marketdata.symbols, and a newer one updates it', async () => {
  const database = await createTestDatabase()
  const listing = (tick: string, status: string): string =>
    JSON.stringify({
      symbols: [
        {
          symbol: 'BTCUSDT',
          pair: 'BTCUSDT',
          contractType: 'PERPETUAL',
          status,
          baseAsset: 'BTC',
          quoteAsset: 'USDT',
          filters: [
            { filterType: 'PRICE_FILTER', tickSize: tick },
            { filterType: 'LOT_SIZE', stepSize: '0.001' },
          ],
        },
      ],
    })
  const path = '/fapi/v1/exchangeInfo'
  const symbols = `select symbol, instrument_type, base_asset, is_active, tick_size, step_size
    from marketdata.symbols order by id`
  await follow(
    database.url,
    await writeTape([quote('NEWUSDT', 1, 0), rest(1, path, listing('0.10', 'TRADING'))]),
  )
  expect((await database.pool.query(symbols)).rows).toEqual([
    {
      symbol: 'BTCUSDT',
      instrument_type: 'perp',
      base_asset: 'BTC',
      is_active: true,
      tick_size: 0.1,
      step_size: 0.001,
    },
    {
      symbol: 'NEWUSDT',
      instrument_type: null,
      base_asset: null,
      is_active: true,
      tick_size: null,
      step_size: null,
    },
  ])
  const counts = await follow(
    database.url,
    await writeTape([rest(1, path, listing('0.01', 'SETTLING'))]),
  )
  expect(counts.rest_answers).toBe(1)
  expect((await database.pool.query(symbols)).rows[0]).toMatchObject({
    tick_size: 0.01,
    is_active: false,
  })
})

test('a database with no schema, or an older one, is refused with a hint', async () => {
  const database = await createTestDatabase()
  const tape_dir = await writeTape([quote('BTCUSDT', 1, 0)])
  await database.pool.query("delete from marketdata.schema_migrations where name like '0004%'")
  await expect(follow(database.url, tape_dir)).rejects.toMatchObject({
    code: 'schema_old',
    hint: expect.stringContaining('migrate'),
  })
  await database.pool.query('drop schema marketdata cascade')
  await expect(follow(database.url, tape_dir)).rejects.toMatchObject({ code: 'schema_old' })
})

test('a wrong password is reported at the start, and the message does not contain it', async () => {
  const database = await createTestDatabase()
  const url = new URL(database.url)
  url.password = 'sesame'
  const tape_dir = await writeTape([quote('BTCUSDT', 1, 0)])
  const error: unknown = await follow(url.href, tape_dir).catch((reason: unknown) => reason)
  expect(error).toMatchObject({ code: 'database_unusable' })
  expect(String(error)).not.toContain('sesame')
})
