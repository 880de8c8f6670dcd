/** Records that Postgres refuses become dead letters with the reason; everything else continues. */
import { existsSync, readFileSync } from 'node:fs'
import { join } from 'node:path'
import { expect, test } from 'vitest'
import { describeError } from '#core/errors.ts'
import { CHANNELS } from '#core/market.ts'
import { silentLogger } from '#core/node/log.ts'
import { withClient } from '#core/node/pool.ts'
import { sumOf } from '../../../ingestor/writer/counts.ts'
import { followToEnd } from '../../../ingestor/writer/follow-to-end.ts'
import { createSymbolTable } from '../../../ingestor/writer/symbol-ids.ts'
import { createTestDatabase } from '../../support/database.ts'
import {
  appendAll,
  CHOICE,
  diff,
  dumpGaps,
  dumpRows,
  type Entry,
  forceOrder,
  mark,
  markPrice,
  openTestTape,
  quote,
  rest,
  temporaryDirectory,
  text,
  trade,
  writeTape,
} from './support.ts'

const DERIBIT = 3

async function follow(database_url: string, entries: readonly Entry[], exchange_code = 1) {
  const tape_dir = await writeTape(entries, undefined, exchange_code)
  const dead_letter_path = join(tape_dir, 'dead.ndjson')
  const choice = { ...CHOICE, channels: CHANNELS }
  const options = { database_url, ingestor_id: 'test', tape_dir, choice, dead_letter_path }
  const counts = await followToEnd({ ...options, log: silentLogger })
  const lines = existsSync(dead_letter_path)
    ? readFileSync(dead_letter_path, 'utf8').trimEnd().split('\n')
    : []
  return {
    counts,
    letters: lines.map(
      (line) => JSON.parse(line) as { table: string; sqlstate: string; error: string; row: object },
    ),
  }
}

function listing(...assets: readonly (readonly [string, string])[]): Entry {
  const symbols = assets.map(([symbol, baseAsset]) => ({
    symbol,
    contractType: 'PERPETUAL',
    status: 'TRADING',
    baseAsset,
    quoteAsset: 'USDT',
    filters: [
      { filterType: 'PRICE_FILTER', tickSize: '0.1' },
      { filterType: 'LOT_SIZE', stepSize: '0.001' },
    ],
  }))
  return rest(0, '/fapi/v1/exchangeInfo', JSON.stringify({ symbols }))
}

test('a listing entry with a NUL, or one that a constraint refuses, does not affect the others', async () => {
  const { url, pool } = await createTestDatabase()
  await pool.query(
    `alter table marketdata.symbols add constraint no_eth check (base_asset <> 'ETH')`,
  )
  await follow(url, [listing(['BTCUSDT', 'BTC'], ['XRPUSDT', 'XRP'])])
  const again = listing(
    ['BTCUSDT', 'BTC'],
    ['SOLUSDT', 'S\u0000L'],
    ['ETHUSDT', 'ETH'],
    ['XRPUSDT', 'XRP'],
  )
  const { counts, letters } = await follow(url, [
    again,
    quote('BTCUSDT', 1, 5),
    quote('ETHUSDT', 1, 6),
  ])
  expect(counts.rows.book_ticker).toBe(2)
  const { rows } = await pool.query(
    'select symbol, is_active, base_asset from marketdata.symbols order by symbol',
  )
  expect(rows).toEqual([
    { symbol: 'BTCUSDT', is_active: true, base_asset: 'BTC' },
    { symbol: 'ETHUSDT', is_active: true, base_asset: null },
    { symbol: 'XRPUSDT', is_active: true, base_asset: 'XRP' },
  ])
  expect(counts.refused_records).toBe(letters.length)
  expect(letters).toContainEqual(expect.objectContaining({ table: 'symbols', sqlstate: '23514' }))
})

test('the mark of a torn tape belongs to no exchange: a gap in every stream, and the writer continues', async () => {
  const { url, pool } = await createTestDatabase()
  const tape_dir = temporaryDirectory()
  const tape = openTestTape(tape_dir)
  appendAll(tape, [trade('BTCUSDT', 10, 0)])
  appendAll(tape, [mark(5, { kind: 'cut', position: 1, bytes: 1 })], 0)
  appendAll(tape, [trade('BTCUSDT', 12, 10)])
  await tape.close()
  const dead_letter_path = join(tape_dir, 'dead.ndjson')
  const options = {
    database_url: url,
    ingestor_id: 'test',
    tape_dir,
    choice: CHOICE,
    dead_letter_path,
  }
  expect((await followToEnd({ ...options, log: silentLogger })).rows.trades).toBe(2)
  expect((await dumpGaps(pool))[0]).toContain('BTCUSDT trades tape_cut 10 12')
})

for (const [name, sql, table] of [
  ['a gap', 'alter table marketdata.gaps add constraint small check (to_id < 1000)', 'gaps'],
  [
    'an offset',
    'alter table marketdata.stream_offsets add constraint small check (last_id < 1000)',
    'stream_offsets',
  ],
] as const) {
  test(`${name} that Postgres refuses is a dead letter, and rows and position are still written`, async () => {
    const { url, pool } = await createTestDatabase()
    await pool.query(sql)
    const { counts, letters } = await follow(url, [
      trade('BTCUSDT', 10, 0),
      trade('BTCUSDT', 15, 1),
      trade('ETHUSDT', 20, 2),
      trade('ETHUSDT', 2_000, 3),
    ])
    expect(counts).toMatchObject({ rows: { trades: 4 }, refused_records: 1, dead_letters: 0 })
    expect(letters).toMatchObject([{ table, sqlstate: '23514' }])
    expect(await dumpRows(pool)).toHaveLength(4)
    expect((await dumpGaps(pool))[0]).toContain('BTCUSDT trades sequence 10 15')
  })
}

test('an index price that Postgres refuses is a dead letter, and the others are stored', async () => {
  const { url, pool } = await createTestDatabase()
  await pool.query('alter table marketdata.prices add constraint small check (price < 50000)')
  const value = (price: number, timestamp: number): Entry =>
    text(
      0,
      JSON.stringify({
        jsonrpc: '2.0',
        method: 'subscription',
        params: {
          channel: 'deribit_price_index.btc_usd',
          data: { timestamp, price, index_name: 'btc_usd' },
        },
      }),
    )
  const ms = Math.floor(value(1, 1).ts_ingest / 1_000)
  const { counts, letters } = await follow(
    url,
    [value(49_000, ms), value(51_000, ms + 1), value(48_000, ms + 2)],
    DERIBIT,
  )
  expect(counts).toMatchObject({
    events: { prices: 3 },
    rows: { prices: 2 },
    duplicates: { prices: 0 },
    dead_letters: 1,
  })
  expect(letters).toMatchObject([{ table: 'prices', sqlstate: '23514', row: { price: 51_000 } }])
})

test('a symbol that Postgres refuses becomes a dead letter with its rows and gaps; the batch commits', async () => {
  const { url, pool } = await createTestDatabase()
  await pool.query(
    `alter table marketdata.symbols add constraint no_eth check (symbol <> 'ETHUSDT')`,
  )
  const { counts, letters } = await follow(url, [
    trade('BTCUSDT', 10, 0),
    trade('ETHUSDT', 10, 1),
    trade('ETHUSDT', 12, 2),
    trade('BTCUSDT', 12, 3),
  ])
  expect(counts).toMatchObject({
    events: { trades: 4 },
    rows: { trades: 2 },
    dead_letters: 2,
    refused_records: 2,
    gaps: 1,
  })
  expect(letters).toMatchObject([
    {
      table: 'trades',
      sqlstate: '23514',
      row: { symbol: 'ETHUSDT', agg_trade_id: 10, price: 100.1 },
    },
    { table: 'trades', sqlstate: '23514', row: { symbol: 'ETHUSDT', agg_trade_id: 12 } },
    { table: 'symbols', sqlstate: '23514', row: { symbol: 'ETHUSDT' } },
    { table: 'gaps', sqlstate: '23514', row: { symbol: 'ETHUSDT', from_id: 10, to_id: 12 } },
  ])
  expect(await dumpGaps(pool)).toEqual([expect.stringContaining('BTCUSDT trades sequence 10 12')])
})

test('a name that Postgres cannot store is refused with the reason; every other one is registered', async () => {
  const { pool } = await createTestDatabase()
  await withClient(pool, async (client) => {
    const table = createSymbolTable(client)
    const names = ODD_TEXTS.map((symbol) => ({ exchange: 'deribit', symbol }) as const)
    const refused = await table.register([...names, { exchange: 'deribit', symbol: 'GOOD' }])
    expect(refused.map(({ item, cause }) => [item.symbol, describeError(cause)])).toEqual([
      ['A\0B', expect.stringContaining('symbol contains the character U+0000')],
      ['A\ud800B', expect.stringContaining('symbol contains half of a surrogate pair')],
    ])
    expect(table.has({ exchange: 'deribit', symbol: 'GOOD' })).toBe(true)
  })
})

/** Texts that an exchange may send instead of any other. */
const ODD_TEXTS = ['A\0B', 'A\ud800B', 'x'.repeat(10_000), '']

/** Every way to replace one text in the value with an odd one. Field names and keys stay. */
function* spoilt(value: unknown): Generator<unknown> {
  if (typeof value === 'string') return yield* ODD_TEXTS
  if (typeof value !== 'object' || value === null) return
  for (const key of Object.keys(value)) {
    const part = (value as Record<string, unknown>)[key]
    for (const other of spoilt(part)) {
      yield Array.isArray(value) ? value.with(Number(key), other) : { ...value, [key]: other }
    }
  }
}

test('an odd text in any field of any record stops nothing: later good records are stored', async () => {
  const { url, pool } = await createTestDatabase()
  const good = [
    trade('BTCUSDT', 10, 1),
    quote('BTCUSDT', 5, 1),
    diff('BTCUSDT', 1, 2, 1),
    markPrice('BTCUSDT', 1),
    forceOrder('BTCUSDT', 1),
    mark(1, { kind: 'started', streams: [{ symbol: 'ETHUSDT', channel: 'trades' }] }),
    mark(1, {
      kind: 'deaf',
      cause: 'disconnect',
      streams: [{ symbol: 'BTCUSDT', channel: 'trades' }],
    }),
  ]
  const odd = good.flatMap(({ payload, ...entry }) => {
    const whole: unknown = JSON.parse(payload.toString())
    return [...spoilt(whole)].map((value): Entry => ({
      ...entry,
      payload: Buffer.from(JSON.stringify(value)),
    }))
  })
  const listed = JSON.parse(
    listing(['BTCUSDT', 'BTC']).payload.toString().split('\n')[1]!,
  ) as unknown
  const listings = [...spoilt(listed)].map((value) =>
    rest(2, '/fapi/v1/exchangeInfo', JSON.stringify(value)),
  )
  expect(odd.length).toBeGreaterThan(150)
  const { counts, letters } = await follow(url, [
    ...odd.flatMap((entry, index) => [entry, trade('ETHUSDT', 1_000 + index, 5 + index)]),
    ...listings.flatMap((entry, index) => [entry, quote('ETHUSDT', 1_000 + index, 5 + index)]),
  ])
  const { rows } = await pool.query<{ trades: number; quotes: number }>(`
    select (select count(*) from marketdata.trades t join marketdata.symbols s on s.id = t.symbol_id
        where symbol = 'ETHUSDT')::int as trades,
      (select count(*) from marketdata.book_ticker t join marketdata.symbols s on s.id = t.symbol_id
        where symbol = 'ETHUSDT')::int as quotes`)
  expect(rows).toEqual([{ trades: odd.length, quotes: listings.length }])
  expect(sumOf(counts.rejected)).toBeGreaterThan(100)
  // Assets are not validated. Only text that Postgres cannot store is refused, with the reason.
  expect(letters.map(({ table, error }) => [table, error.split(' which')[0]])).toEqual([
    ['symbols', 'base_asset contains the character U+0000,'],
    ['symbols', 'base_asset contains half of a surrogate pair,'],
    ['symbols', 'quote_asset contains the character U+0000,'],
    ['symbols', 'quote_asset contains half of a surrogate pair,'],
  ])
})
