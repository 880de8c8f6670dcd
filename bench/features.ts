/**
 * Measures the time and memory to build a day of features: `node bench/features.ts --symbols 200
 * --quotes-per-s 0.5 --depth-per-s 0.5`. It generates the day in an embedded Postgres, then builds
 * and publishes it to the local object store. With `--archived`, the day is first archived and then
 * read from the archive. The baseline, also printed, is a raw binary COPY of the same rows out of
 * the same tables. Memory is that of the building process with all its threads.
 */
import { join } from 'node:path'
import { parseArgs } from 'node:util'
import copyStreams from 'pg-copy-streams'
import { silentLogger } from '#core/node/log.ts'
import { withClient, type Pool } from '#core/node/pool.ts'
import { parseDay } from '#core/time.ts'
import { runArchive } from '../jobs/archive/run-archive.ts'
import { runFeatures } from '../jobs/datasets/run-features.ts'
import { type Services, withServices } from './services.ts'

const DAY = parseDay('2024-08-08')!
const TRADES_PER_QUOTE = 0.1
const TABLES = ['book_ticker', 'trades', 'depth_events', 'mark_price']

const { values } = parseArgs({
  options: {
    symbols: { type: 'string', default: '20' },
    'quotes-per-s': { type: 'string', default: '1' },
    'depth-per-s': { type: 'string', default: '1' },
    threads: { type: 'string', default: '2' },
    'symbols-100ms': { type: 'string', default: '0' },
    archived: { type: 'boolean', default: false },
  },
})
const symbol_count = Number(values.symbols)
const quotes_per_s = Number(values['quotes-per-s'])
const depth_per_s = Number(values['depth-per-s'])
const thread_count = Number(values.threads)
const symbols_100ms = namesUpTo(Number(values['symbols-100ms']))

await withServices(
  async (services) => {
    const { pool, store, dir } = services
    const generate_s = await seconds(() => generateDay(pool))
    const event_count = await countEvents(pool)
    const copy_s = await seconds(() => copyOut(pool))
    const archive_s = values.archived ? await seconds(() => archiveDay(services)) : 0
    const rss_before = process.memoryUsage.rss()
    let peak_rss = 0
    const sampler = setInterval(
      () => (peak_rss = Math.max(peak_rss, process.memoryUsage.rss())),
      50,
    )
    const cpu_before = process.cpuUsage()
    const options = {
      pool,
      store,
      date: DAY,
      work_dir: join(dir, 'work'),
      log: silentLogger,
      now: Date.now,
      thread_count,
      symbols_100ms,
    }
    const started = performance.now()
    const result = await runFeatures(options)
    const features_s = (performance.now() - started) / 1_000
    clearInterval(sampler)
    const { user, system } = process.cpuUsage(cpu_before)
    print({
      symbol_count,
      thread_count,
      event_count,
      generate_s,
      copy_out_s: copy_s,
      archive_s,
      features_s,
      event_per_s: event_count / features_s,
      feature_row_count: result.row_count,
      feature_row_per_s: result.row_count / features_s,
      cpu_s_total: (user + system) / 1e6,
      rss_before_mb: rss_before / 1e6,
      rss_peak_mb: peak_rss / 1e6,
      ...Object.fromEntries(
        result.sets.flatMap(({ files }) =>
          files.map(({ name, bytes }) => [`${name}_mb`, bytes / 1e6]),
        ),
      ),
    })
  },
  { max_wal_size: '8GB', autovacuum: 'off' },
)

async function seconds(work: () => Promise<void>): Promise<number> {
  const started = performance.now()
  await work()
  return (performance.now() - started) / 1_000
}

/** One random walk per symbol, with evenly spaced quotes. Rows are in time order, as if live. */
async function generateDay(target: Pool): Promise<void> {
  await target.query(
    `insert into marketdata.symbols (exchange, symbol)
     select 'binance-futures', name from unnest($1::text[]) name`,
    [namesUpTo(symbol_count)],
  )
  for (let hour = 0; hour < 24; hour++) {
    const from = `${DAY}T${String(hour).padStart(2, '0')}:00:00Z`
    await target.query(
      `select marketdata.ensure_hour(name, $1)
       from unnest('{book_ticker,trades,depth_events,mark_price}'::text[]) name`,
      [from],
    )
    await generateDepth(target, from, hour)
    await target.query(
      `insert into marketdata.mark_price
         (ts_exchange, ts_ingest, symbol_id, mark_price, index_price, funding_rate)
       select ts, ts, s, 1000 + s, 1000, 0.0001
       from generate_series(0, 1199) n, generate_series(1, $2::int) s,
         lateral (select $1::timestamptz + n * interval '3 seconds' as ts) x`,
      [from, symbol_count],
    )
    await target.query(
      `insert into marketdata.book_ticker
         (ts_exchange, ts_ingest, symbol_id, update_id, best_bid, best_ask, bid_qty, ask_qty)
       select ts, ts, s, ${hour} * 1000000 + n, bid, bid + 0.1,
         (n * s) % 977 * 0.001 + 0.001, (n * 31 + s) % 571 * 0.001 + 0.001
       from generate_series(1, $2::int) n, generate_series(1, $3::int) s,
         lateral (select
           $1::timestamptz + n * interval '1 second' / $4::float8
             - interval '1 millisecond' * (s % 50) as ts,
           round((1000 + 100 * sin(n * 0.001 * s) + s)::numeric, 1)::float8 as bid) x`,
      [from, Math.floor(3_600 * quotes_per_s) - 1, symbol_count, quotes_per_s],
    )
    await target.query(
      `insert into marketdata.trades
         (ts_exchange, ts_ingest, symbol_id, agg_trade_id, price, qty, is_buyer_maker)
       select ts, ts, s, ${hour} * 1000000 + n, 1000 + s,
         (n * s) % 977 * 0.001 + 0.001, (n + s) % 2 = 0
       from generate_series(1, $2::int) n, generate_series(1, $3::int) s,
         lateral (select $1::timestamptz + n * interval '1 second' / $4::float8 as ts) x`,
      [
        from,
        Math.floor(3_600 * quotes_per_s * TRADES_PER_QUOTE) - 1,
        symbol_count,
        quotes_per_s * TRADES_PER_QUOTE,
      ],
    )
  }
}

/** A book with 20 fixed price levels per side; each diff changes two levels of each side. */
async function generateDepth(target: Pool, from: string, hour: number): Promise<void> {
  if (depth_per_s === 0) return
  await target.query(
    `insert into marketdata.depth_events
       (ts_exchange, ts_ingest, symbol_id, final_update_id, depth_kind, bids, asks)
     select $1, $1, s, $2, 'snapshot',
       (select array_agg(array[1000 - k, 1 + k % 7]::float8[]) from generate_series(0, 19) k),
       (select array_agg(array[1001 + k, 1 + k % 7]::float8[]) from generate_series(0, 19) k)
     from generate_series(1, $3::int) s`,
    [from, hour * 1_000_000, symbol_count],
  )
  await target.query(
    `insert into marketdata.depth_events (ts_exchange, ts_ingest, symbol_id, final_update_id,
       depth_kind, first_update_id, prev_final_update_id, bids, asks)
     select ts, ts, s, id, 'diff', id, id - 1,
       array[array[1000 - n % 20, 1 + (n * s) % 13], array[1000 - n * 7 % 20, 2 + n % 5]]::float8[],
       array[array[1001 + n % 20, 1 + (n * s) % 11], array[1001 + n * 3 % 20, 2 + n % 3]]::float8[]
     from generate_series(1, $4::int) n, generate_series(1, $3::int) s,
       lateral (select
         $2 + n as id, $1::timestamptz + n * interval '1 second' / $5::float8 as ts) x`,
    [from, hour * 1_000_000, symbol_count, Math.floor(3_600 * depth_per_s) - 1, depth_per_s],
  )
}

function namesUpTo(count: number): readonly string[] {
  return Array.from({ length: count }, (_, i) => `SYM${String(i + 1).padStart(3, '0')}USDT`)
}

async function countEvents(source: Pool): Promise<number> {
  const { rows } = await source.query<{ count: string }>(
    TABLES.map((table) => `select count(*) from marketdata.${table}`).join(' union all '),
  )
  return rows.reduce((sum, { count }) => sum + Number(count), 0)
}

async function archiveDay({ pool, store, dir }: Services): Promise<void> {
  const work_dir = join(dir, 'work')
  await runArchive({ pool, store, codec: 'zstd', work_dir, now: Date.now, log: silentLogger })
}

async function copyOut(source: Pool): Promise<void> {
  await withClient(source, async (client) => {
    for (const table of TABLES) {
      const stream = client.query(
        copyStreams.to(`copy (select * from marketdata.${table}) to stdout (format binary)`),
      )
      for await (const chunk of stream) void chunk
    }
  })
}

function print(figures: Readonly<Record<string, number>>): void {
  for (const [name, value] of Object.entries(figures)) {
    process.stdout.write(
      `${name.padEnd(28)} ${Number.isInteger(value) ? value : value.toFixed(2)}\n`,
    )
  }
}
