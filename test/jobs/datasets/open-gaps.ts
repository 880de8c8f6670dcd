/** Two days with a stream that falls silent before midnight, for tests of their datasets. */
import { join } from 'node:path'
import type { Manifest } from '#core/dataset.ts'
import { silentLogger } from '#core/node/log.ts'
import type { Pool } from '#core/node/pool.ts'
import { parseDay } from '#core/time.ts'
import { runDatasets } from '../../../jobs/datasets/run-datasets.ts'
import { selectStaleDays } from '../../../jobs/datasets/stale-days.ts'
import { publishedKey, readManifest, versionOf } from '../../support/published.ts'
import { insertQuotes, insertSymbols, insertTrades } from '../market.ts'
import { NOON, readWithDuckDb, type Stand } from '../stand.ts'

export const FIRST = parseDay('2024-08-18')!
export const SECOND = parseDay('2024-08-19')!
/** One event per minute, from 24 minutes before midnight to 24 minutes after it. */
const START = Date.parse('2024-08-18T23:36:00Z') * 1_000
export const at = (minutes: number): number => START + minutes * 60e6
export const iso = (minutes: number): string => new Date(at(minutes) / 1_000).toISOString()

/** BTC's quotes end in minute 14 of the first day; everything else continues over both days. */
export async function load(pool: Pool): Promise<void> {
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
export async function insertOffsets(
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

export const FOREVER = '2100-01-01T00:00:00Z'
export const SILENT = [
  { symbol: 'BTCUSDT', channel: 'book_ticker', last: 14, cause: 'silence' },
  { symbol: 'BTCUSDT', channel: 'trades', last: 47 },
  { symbol: 'ETHUSDT', channel: 'book_ticker', last: 47 },
]

export async function build(stand: Stand): Promise<void> {
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
export async function known(stand: Stand, date: typeof FIRST): Promise<unknown> {
  const manifest = await manifestOf(stand, 'features_1s', date)
  const [row] = await readWithDuckDb(
    stand,
    publishedKey(manifest, 'features_1s.parquet'),
    (file) => `select count(mid_close)::int as quoted, count(quote_age_s)::int as aged,
                 count(trade_count)::int as heard from ${file} where symbol = 'BTCUSDT'`,
  )
  return { ...row, present_s: btcOf(manifest).present_s }
}

export async function manifestOf(
  stand: Stand,
  dataset: string,
  date: typeof FIRST,
): Promise<Manifest> {
  return (await readManifest(stand.store, dataset, versionOf(dataset), date))!
}

export function btcOf(manifest: Manifest): Manifest['coverage'][number] {
  return manifest.coverage.find(({ symbol }) => symbol === 'BTCUSDT')!
}

export async function stale(stand: Stand): Promise<readonly string[]> {
  const days = await selectStaleDays(stand.pool, stand.store, NOON)
  return days.map(({ job, date, why }) => `${job} ${date}: ${why}`)
}

/** Seconds of BTC's quotes in the first day, and of a whole day. */
export const HEARD_S = 14 * 60
export const DAY_ROWS = 23 * 60 + 1

/** BTC's quotes come back: the gap gets its end. */
export async function endSilence(pool: Pool): Promise<void> {
  await pool.query(
    `update marketdata.stream_offsets set deaf_cause = null, lost_ts = null, lost_at = null`,
  )
  await pool.query(
    `insert into marketdata.gaps (symbol_id, channel, from_ts, to_ts, from_id, to_id, cause, detected_at)
     select id, 'book_ticker', $1, $2, 15, 90, 'silence', $2 from marketdata.symbols where symbol = 'BTCUSDT'`,
    [iso(14), iso(50)],
  )
}
