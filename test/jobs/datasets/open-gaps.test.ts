/** Days with streams that fell silent and have not resumed, and what changes once they do. */
import { join } from 'node:path'
import { expect, test } from 'vitest'
import type { Manifest } from '#core/dataset.ts'
import { silentLogger } from '#core/node/log.ts'
import type { Pool } from '#core/node/pool.ts'
import { parseDay } from '#core/time.ts'
import { runDatasets } from '../../../jobs/datasets/run-datasets.ts'
import { selectStaleDays } from '../../../jobs/datasets/stale-days.ts'
import { publishedKey, readManifest, versionOf } from '../../support/published.ts'
import { insertQuotes, insertSymbols, insertTrades } from '../market.ts'
import { createStand, NOON, readWithDuckDb, type Stand } from '../stand.ts'

const FIRST = parseDay('2024-08-18')!
const SECOND = parseDay('2024-08-19')!
/** One event per minute, from 24 minutes before midnight to 24 minutes after it. */
const START = Date.parse('2024-08-18T23:36:00Z') * 1_000
const at = (minutes: number): number => START + minutes * 60e6
const iso = (minutes: number): string => new Date(at(minutes) / 1_000).toISOString()

/** BTC's quotes end in minute 14 of the first day; everything else continues over both days. */
async function load(pool: Pool): Promise<void> {
  await insertSymbols(pool, ['BTCUSDT', 'ETHUSDT'])
  const minutes = Array.from({ length: 48 }, (_, minute) => minute)
  const quote = (symbol: string, minute: number, id: number) => ({
    symbol,
    ts: at(minute),
    id,
    bid: 100,
    bid_qty: 1,
    ask: 101,
    ask_qty: 1,
  })
  await insertQuotes(pool, [
    ...minutes.map((minute) => quote('ETHUSDT', minute, minute + 1)),
    ...minutes.slice(0, 15).map((minute) => quote('BTCUSDT', minute, minute + 1)),
  ])
  await insertTrades(
    pool,
    minutes.map((minute) => ({
      symbol: 'BTCUSDT',
      ts: at(minute),
      id: minute + 1,
      price: 100,
      qty: 1,
      is_buyer_maker: true,
    })),
  )
}

/** State of the ingestor's streams; `covered_until` is the time of its last write. */
async function insertOffsets(
  pool: Pool,
  ingestor_id: string,
  covered_until: string,
  streams: readonly {
    readonly symbol: string
    readonly channel: string
    readonly last: number
    readonly cause?: string
    readonly began?: number
  }[],
): Promise<void> {
  await pool.query(
    `insert into marketdata.tape_positions (ingestor_id, tape_id, tape_position, covered_until)
     values ($1, 'tape', 0, $2)`,
    [ingestor_id, covered_until],
  )
  for (const { symbol, channel, last, cause, began = 0 } of streams) {
    await pool.query(
      `insert into marketdata.stream_offsets (ingestor_id, symbol_id, channel, last_id, ts_exchange,
         ts_ingest, began_ts, deaf_cause, lost_ts, lost_at)
       select $1, id, $3, 15, $4, $4, $5, $6,
         case when $6::text is not null then $4::timestamptz end,
         case when $6::text is not null then $4::timestamptz end
       from marketdata.symbols where symbol = $2`,
      [ingestor_id, symbol, channel, iso(last), iso(began), cause ?? null],
    )
  }
}

const FOREVER = '2100-01-01T00:00:00Z'
const SILENT = [
  { symbol: 'BTCUSDT', channel: 'book_ticker', last: 14, cause: 'silence' },
  { symbol: 'BTCUSDT', channel: 'trades', last: 47 },
  { symbol: 'ETHUSDT', channel: 'book_ticker', last: 47 },
]

async function build(stand: Stand): Promise<void> {
  for (const date of [FIRST, SECOND]) {
    await stand.features(date, { symbols_100ms: ['BTCUSDT'] })
    await runDatasets({
      pool: stand.pool,
      store: stand.store,
      date,
      work_dir: join(stand.dir, 'work'),
      log: silentLogger,
      now: () => NOON,
      keep_replaced_h: 24,
    })
  }
}

/** For BTC: seconds with a quote, and seconds whose trades were recorded. */
async function known(stand: Stand, date: typeof FIRST): Promise<unknown> {
  const manifest = await manifestOf(stand, 'features_1s', date)
  const [row] = await readWithDuckDb(
    stand,
    publishedKey(manifest, 'features_1s.parquet'),
    (file) => `select count(mid_close)::int as quoted, count(quote_age_s)::int as aged,
                 count(trade_count)::int as heard from ${file} where symbol = 'BTCUSDT'`,
  )
  return { ...row, present_s: btcOf(manifest).present_s }
}

async function manifestOf(stand: Stand, dataset: string, date: typeof FIRST): Promise<Manifest> {
  return (await readManifest(stand.store, dataset, versionOf(dataset), date))!
}

function btcOf(manifest: Manifest): Manifest['coverage'][number] {
  return manifest.coverage.find(({ symbol }) => symbol === 'BTCUSDT')!
}

async function stale(stand: Stand): Promise<readonly string[]> {
  const days = await selectStaleDays(stand.pool, stand.store, NOON)
  return days.map(({ job, date, why }) => `${job} ${date}: ${why}`)
}

/** Seconds of BTC's quotes in the first day, and of a whole day. */
const HEARD_S = 14 * 60
const DAY_ROWS = 23 * 60 + 1

test('silent from before midnight through the next day: no frozen values; the gap’s end rebuilds both days', async () => {
  const stand = await createStand()
  const { pool } = stand
  await load(pool)
  await insertOffsets(pool, 'a', FOREVER, SILENT)
  await build(stand)
  const cut = { quoted: HEARD_S, aged: HEARD_S, heard: DAY_ROWS, present_s: HEARD_S }
  expect(await known(stand, FIRST)).toEqual(cut)
  expect(await known(stand, SECOND)).toEqual({ quoted: 0, aged: 0, heard: DAY_ROWS, present_s: 0 })
  const open = {
    channel: 'book_ticker',
    from_ts: '2024-08-18T23:50:00.000000Z',
    to_ts: null,
    cause: 'silence',
    repaired: false,
  }
  for (const dataset of ['features_1s', 'labels_1s', 'features_100ms', 'candles', 'quotes']) {
    for (const date of [FIRST, SECOND]) {
      const manifest = await manifestOf(stand, dataset, date)
      expect([dataset, date, btcOf(manifest).gaps]).toEqual([dataset, date, [open]])
    }
  }
  const manifest = await manifestOf(stand, 'features_1s', FIRST)
  expect(
    await readWithDuckDb(
      stand,
      publishedKey(manifest, 'coverage.parquet'),
      (
        file,
      ) => `select channel, g.cause as cause, epoch_us(g.from_ts)::double as from_ts, g.to_ts is null as is_open
                 from (select *, unnest(gaps) as g from ${file}) where symbol = 'BTCUSDT'`,
    ),
  ).toEqual([{ channel: 'book_ticker', cause: 'silence', from_ts: at(14), is_open: true }])
  expect(await stale(stand)).toEqual([])

  await pool.query(
    `update marketdata.stream_offsets set deaf_cause = null, lost_ts = null, lost_at = null`,
  )
  await pool.query(
    `insert into marketdata.gaps (symbol_id, channel, from_ts, to_ts, from_id, to_id, cause, detected_at)
     select id, 'book_ticker', $1, $2, 15, 90, 'silence', $2 from marketdata.symbols where symbol = 'BTCUSDT'`,
    [iso(14), iso(50)],
  )
  const why = 'the gap ledger has changed since the build'
  expect(await stale(stand)).toEqual([
    `features ${FIRST}: ${why}`,
    `datasets ${FIRST}: ${why}`,
    `features ${SECOND}: ${why}`,
    `datasets ${SECOND}: ${why}`,
  ])
  await build(stand)
  expect(await known(stand, FIRST)).toEqual(cut)
  expect(await stale(stand)).toEqual([])

  // The gap turns out to be none: BTC's last quote was the newest all the time.
  await pool.query(`update marketdata.gaps set repaired_at = $1`, [new Date(NOON)])
  expect(await stale(stand)).toHaveLength(4)
  await build(stand)
  expect(await known(stand, FIRST)).toMatchObject({ quoted: DAY_ROWS, present_s: DAY_ROWS })
  expect(await stale(stand)).toEqual([])
})

test('an ingestor that stopped writing covers nothing after that, until it has caught up', async () => {
  const stand = await createStand()
  const { pool } = stand
  await load(pool)
  // BTC's quotes had been quiet for three minutes when it was killed; the other ingestor has the
  // rest.
  await insertOffsets(pool, 'a', iso(17), [{ symbol: 'BTCUSDT', channel: 'book_ticker', last: 14 }])
  await insertOffsets(pool, 'b', FOREVER, SILENT.slice(1))
  await stand.features(FIRST)
  const until_s = 16 * 60
  expect(await known(stand, FIRST)).toMatchObject({
    quoted: until_s,
    present_s: until_s,
    heard: DAY_ROWS,
  })

  await pool.query(`update marketdata.tape_positions set covered_until = $1`, [FOREVER])
  await stand.features(FIRST)
  expect(await known(stand, FIRST)).toMatchObject({ quoted: DAY_ROWS, present_s: DAY_ROWS })
})

test('a delisted symbol ends there; another ingestor that continues a stream ends its gap', async () => {
  const stand = await createStand()
  const { pool } = stand
  await load(pool)
  await insertOffsets(pool, 'a', FOREVER, [
    { symbol: 'BTCUSDT', channel: 'book_ticker', last: 14, cause: 'delisted' },
    { symbol: 'BTCUSDT', channel: 'trades', last: 10, cause: 'restart' },
  ])
  await insertOffsets(pool, 'b', FOREVER, [
    { symbol: 'BTCUSDT', channel: 'trades', last: 47, began: 12 },
  ])
  await stand.features(FIRST)
  const heard = DAY_ROWS - 2 * 60 - 1
  expect(await known(stand, FIRST)).toMatchObject({ quoted: HEARD_S, heard })
})
