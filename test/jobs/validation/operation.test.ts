/**
 * Checks of who records and how: ingestors, quote rates, books, clocks, and yesterday's datasets.
 */
import { join } from 'node:path'
import { expect, test } from 'vitest'
import { createObjectStore } from '#core/node/object-store.ts'
import { silentLogger } from '#core/node/log.ts'
import type { Pool } from '#core/node/pool.ts'
import { manifestKey } from '#core/object-keys.ts'
import { parseDay } from '#core/time.ts'
import { runArchive } from '../../../jobs/archive/run-archive.ts'
import { runDatasets } from '../../../jobs/datasets/run-datasets.ts'
import { validate } from '../../../jobs/validation/run-validation.ts'
import { createTestDatabase, type TestDatabase } from '../../support/database.ts'
import { publishedKey, readManifest, versionOf } from '../../support/published.ts'
import { diff, type Entry, quote, START_MS, trade } from '../../ingestor/writer/support.ts'
import { insertQuotes, insertSymbols } from '../market.ts'
import { ingest } from '../rollups/support.ts'
import { createStand, NOON, type Stand } from '../stand.ts'

const NOW_MS = START_MS + 335_000
const NOW = new Date(NOW_MS).toISOString()
const NEW_CHECKS = ['ingestors', 'rates', 'books', 'clock', 'datasets']

/** Of the checks in this file: `check code symbols`. */
async function findings(pool: Pool, now_ms = NOW_MS, stand?: Stand): Promise<readonly string[]> {
  const report = await validate(pool, now_ms, stand?.store)
  return report.findings
    .filter(({ check }) => NEW_CHECKS.includes(check))
    .map(({ check, code, symbols }) => [check, code, ...symbols].join(' '))
}

/** Trades, quotes and changes of a book, each 20 s. */
function market(symbol: string): readonly Entry[] {
  return Array.from({ length: 17 }, (_, i) => {
    const ms = i * 20_000
    return [quote(symbol, i + 10, ms), diff(symbol, i + 9, i + 10, ms), trade(symbol, i + 10, ms)]
  }).flat()
}

async function recorded(...symbols: readonly string[]): Promise<TestDatabase> {
  const database = await createTestDatabase()
  await ingest(database, symbols.flatMap(market))
  return database
}

interface Reported {
  readonly id: string
  readonly state?: string
  readonly recording?: string
  readonly heard?: number
  readonly silent_s?: number
  readonly up_s?: number
}

async function insertReport(pool: Pool, one: Reported): Promise<void> {
  const { id, state = 'live', recording = 'recording', heard = 8, silent_s = 5, up_s = 3_600 } = one
  await pool.query(
    `insert into marketdata.ingestors (ingestor_id, exchange, host, pid, version, started_at,
       endpoint, state, recording, revision, symbols_wanted, streams_wanted, streams_heard, seen_at)
     values ($1, 'binance-futures', 'droplet', 7, '0.1.0', $2::timestamptz - make_interval(secs => $3),
       null, $4, $5, 0, 2, 8, $6, $2::timestamptz - make_interval(secs => $7))`,
    [id, NOW, up_s, state, recording, heard, silent_s],
  )
}

test('ingestors: one that vanished, one without room, one that does not hear all its streams', async () => {
  const { pool } = await recorded('BTCUSDT')
  for (const one of [
    { id: 'fine' },
    { id: 'vanished', silent_s: 90 },
    { id: 'full', state: 'tape_full', heard: 0 },
    { id: 'deaf', heard: 6 },
    { id: 'starting', heard: 0, up_s: 60 },
    { id: 'paused', state: 'paused', recording: 'paused', heard: 0 },
    { id: 'stopped', state: 'stopped', heard: 0, silent_s: 900 },
    { id: 'long-ago', silent_s: 90_000 },
  ]) {
    await insertReport(pool, one)
  }
  const { findings: found, looked_at } = await validate(pool, NOW_MS)
  const own = found.filter(({ check }) => check === 'ingestors')
  expect(own.map(({ code, sentence }) => [code, sentence.slice(0, 45)])).toEqual([
    ['streams_unheard', 'Ingestor deaf (binance-futures, on droplet) h'],
    ['tape_full', 'Ingestor full (binance-futures, on droplet) t'],
    ['ingestor_gone', 'Ingestor vanished (binance-futures, on drople'],
  ])
  expect(looked_at.ingestors).toBe('6 ingestors')
})

const of = (symbol: string): string =>
  `(select id from marketdata.symbols where symbol = '${symbol}')`

test('books: a change that is missing without a gap in the ledger', async () => {
  const { pool } = await recorded('BTCUSDT', 'ETHUSDT')
  expect(await findings(pool)).toEqual([])
  await pool.query(`delete from marketdata.depth_events
    where symbol_id = ${of('ETHUSDT')} and final_update_id = 15`)
  expect(await findings(pool)).toEqual(['books book_break binance-futures ETHUSDT'])
  // A gap that is known is no break; but then a whole book has to come.
  await pool.query(`insert into marketdata.gaps
      (symbol_id, channel, from_ts, to_ts, cause, detected_at)
    select ${of('ETHUSDT')}, 'depth_events', min(ts_exchange) filter (where final_update_id = 14),
      min(ts_exchange) filter (where final_update_id = 16), 'sequence', max(ts_ingest)
    from marketdata.depth_events where symbol_id = ${of('ETHUSDT')}`)
  expect(await findings(pool)).toEqual(['books book_lost binance-futures ETHUSDT'])
  await pool.query(`insert into marketdata.depth_events
      (symbol_id, ts_exchange, ts_ingest, final_update_id, depth_kind, bids, asks)
    select symbol_id, ts_exchange + interval '1 second', ts_ingest, final_update_id, 'snapshot',
      '{{1,1}}', '{{2,1}}'
    from marketdata.depth_events where symbol_id = ${of('ETHUSDT')} and final_update_id = 17`)
  expect(await findings(pool)).toEqual([])
})

test('clock: trades that arrive before they happen, and trades that arrive late', async () => {
  const { pool } = await recorded('BTCUSDT')
  await pool.query(
    `insert into marketdata.trades (symbol_id, ts_exchange, ts_ingest, agg_trade_id,
      price, qty, is_buyer_maker)
    select ${of('BTCUSDT')}, at, at + interval '40 ms', 1000 + i, 100, 1, true
    from generate_series(1, 20) as i, lateral (select $1::timestamptz - i * interval '2 s' as at) t`,
    [NOW],
  )
  expect(await findings(pool)).toEqual([])
  await pool.query("update marketdata.trades set ts_ingest = ts_exchange - interval '300 ms'")
  expect(await findings(pool)).toEqual(['clock clock_behind'])
  await pool.query("update marketdata.trades set ts_ingest = ts_exchange + interval '9 s'")
  expect(await findings(pool)).toEqual(['clock trades_late'])
})

/**
 * In the five minutes before the watermark, so many days ago: so many quotes every so many seconds.
 */
async function roll(
  pool: Pool,
  symbol: string,
  { days_ago, quotes, every_s = 1 }: { days_ago: number; quotes: number; every_s?: number },
): Promise<void> {
  const until = new Date(NOW_MS - days_ago * 86_400_000).toISOString()
  await pool.query(`select marketdata.ensure_day('bt_1s', $1::timestamptz)`, [until])
  await pool.query(
    `insert into marketdata.bt_1s (symbol_id, bucket, ofi_inside, quote_count)
     select ${of(symbol)}, date_trunc('second', $1::timestamptz) - i * interval '1 second', 0, $2
     from generate_series(1, 299, $3) as i`,
    [until, quotes, every_s],
  )
}

test('rates: a symbol that quotes far less than at this time of the days before', async () => {
  const { pool } = await recorded('BTCUSDT', 'ETHUSDT', 'SOLUSDT', 'XRPUSDT')
  await pool.query(
    "update marketdata.rollup_watermarks set watermark = $1, refreshed_at = $1 where rollup = 'bt_1s'",
    [NOW],
  )
  for (const symbol of ['BTCUSDT', 'ETHUSDT', 'XRPUSDT']) {
    for (const days_ago of [1, 2]) await roll(pool, symbol, { days_ago, quotes: 12 })
    // One wild day does not move the median.
    await roll(pool, symbol, { days_ago: 5, quotes: 900 })
  }
  // Less than a quote a second: its silence may be chance.
  await roll(pool, 'SOLUSDT', { days_ago: 1, quotes: 1, every_s: 4 })
  await roll(pool, 'BTCUSDT', { days_ago: 0, quotes: 10 })
  await roll(pool, 'ETHUSDT', { days_ago: 0, quotes: 1 })
  const { looked_at } = await validate(pool, NOW_MS)
  expect(looked_at.rates).toBe('3 symbols')
  expect(await findings(pool)).toEqual([
    'rates rate_low binance-futures ETHUSDT binance-futures XRPUSDT',
  ])
  // A stream that is lost is told by freshness, with its cause.
  await pool.query(`update marketdata.stream_offsets set deaf_cause = 'disconnect'
    where symbol_id in (${of('ETHUSDT')}, ${of('XRPUSDT')})`)
  expect(await findings(pool)).toEqual([])
})

const DATE = parseDay('2024-08-19')!
const CANDLES_KEY = manifestKey('candles', versionOf('candles'), DATE)

async function yesterday(): Promise<Stand> {
  const stand = await createStand()
  const at = Date.parse('2024-08-19T10:00:00Z') * 1_000
  await insertSymbols(stand.pool, ['BTCUSDT'])
  await insertQuotes(
    stand.pool,
    Array.from({ length: 50 }, (_, i) => ({
      symbol: 'BTCUSDT',
      ts: at + i * 1e6,
      id: i + 1,
      bid: 100,
      bid_qty: 1,
      ask: 101,
      ask_qty: 1,
    })),
  )
  const options = {
    ...stand,
    work_dir: join(stand.dir, 'work'),
    log: silentLogger,
    now: () => NOON,
  }
  await runArchive({ ...options, codec: 'zstd' })
  await runDatasets({ ...options, date: DATE })
  await stand.features('2024-08-19')
  return stand
}

test("datasets: yesterday's are there, incomplete, damaged, missing, or out of reach", async () => {
  const stand = await yesterday()
  const { pool, store, store_config } = stand
  const whole = await validate(pool, NOON, store)
  expect(whole.looked_at.datasets).toBe('9 datasets of 2024-08-19')
  expect(await findings(pool, NOON, stand)).toEqual([])

  const quotes = (await readManifest(store, 'quotes', versionOf('quotes'), DATE))!
  await store.delete(publishedKey(quotes, quotes.files[0]!.name))
  const candles = (await readManifest(store, 'candles', versionOf('candles'), DATE))!
  await store.put(CANDLES_KEY, JSON.stringify({ ...candles, complete: false }), 'application/json')
  await store.delete(manifestKey('labels_1s', versionOf('labels_1s'), DATE))
  expect(await findings(pool, NOON, stand)).toEqual([
    'datasets dataset_missing',
    'datasets dataset_incomplete',
    'datasets dataset_damaged',
  ])
  // In the first hours of a day yesterday's may still be built; the day before was never recorded.
  const early = await validate(pool, Date.parse('2024-08-20T05:00:00Z'), store)
  expect(early.looked_at.datasets).toBe('0 datasets of 2024-08-18')

  const shut = createObjectStore({ ...store_config, secret_access_key: 'not-the-secret' })
  try {
    const { findings: found } = await validate(pool, NOON, shut)
    expect(found.filter(({ code }) => code === 'store_failed')).toHaveLength(9)
    expect(JSON.stringify(found)).not.toContain('not-the-secret')
  } finally {
    shut.close()
  }
})
