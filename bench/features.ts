/**
 * How long a day of features takes, and in how much memory: `node bench/features.ts --symbols 200
 * --quotes-per-s 0.5`. Generates the day in an embedded Postgres, builds and publishes it to the
 * local object store. The floor to compare with is the raw binary COPY of the same rows out of
 * the same tables, which is printed beside it.
 */
import { mkdtempSync, rmSync, chmodSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { parseArgs } from 'node:util'
import copyStreams from 'pg-copy-streams'
import { silentLogger } from '#core/node/log.ts'
import { migrate } from '#core/node/migrate.ts'
import { createObjectStore } from '#core/node/object-store.ts'
import { createPool, withClient, type Pool } from '#core/node/pool.ts'
import { parseDay } from '#core/time.ts'
import { startObjectStore } from '../infra/local/object-store.ts'
import { freePort } from '../infra/local/ports.ts'
import { startPostgres } from '../infra/local/postgres.ts'
import { runFeatures } from '../jobs/features/run-features.ts'

const DAY = parseDay('2024-08-08')!
const TRADES_PER_QUOTE = 0.1

const { values } = parseArgs({
  options: {
    symbols: { type: 'string', default: '20' },
    'quotes-per-s': { type: 'string', default: '1' },
  },
})
const symbol_count = Number(values.symbols)
const quotes_per_s = Number(values['quotes-per-s'])

const dir = mkdtempSync(join(tmpdir(), 'booktape-bench-'))
chmodSync(dir, 0o755)
const postgres = await startPostgres({
  dir: join(dir, 'postgres'),
  port: await freePort(),
  password: 'bench',
  settings: { fsync: 'off', max_wal_size: '8GB', autovacuum: 'off' },
})
const server = await startObjectStore({
  dir: join(dir, 'store'),
  port: 0,
  access_key_id: 'k',
  secret_access_key: 's',
})
const store = createObjectStore(server.config)
const pool = createPool(postgres.url, 'bench')
try {
  await migrate(pool)
  const generate_s = await seconds(() => generateDay(pool))
  const { rows } = await pool.query<{ quotes: string; trades: string }>(
    `select (select count(*) from marketdata.book_ticker) as quotes,
            (select count(*) from marketdata.trades) as trades`,
  )
  const event_count = Number(rows[0]!.quotes) + Number(rows[0]!.trades)
  const copy_s = await seconds(() => copyOut(pool))
  const rss_before = process.memoryUsage.rss()
  let peak_rss = 0
  const sampler = setInterval(() => (peak_rss = Math.max(peak_rss, process.memoryUsage.rss())), 50)
  const options = { pool, store, date: DAY, work_dir: join(dir, 'work'), log: silentLogger, now: Date.now }
  const started = performance.now()
  const result = await runFeatures(options)
  const features_s = (performance.now() - started) / 1_000
  clearInterval(sampler)
  const { user, system } = process.cpuUsage()
  print({
    symbol_count,
    event_count,
    generate_s,
    copy_out_s: copy_s,
    features_s,
    event_per_s: event_count / features_s,
    feature_row_count: result.row_count,
    feature_row_per_s: result.row_count / features_s,
    cpu_s_total: (user + system) / 1e6,
    rss_before_mb: rss_before / 1e6,
    rss_peak_mb: peak_rss / 1e6,
    ...Object.fromEntries(result.files.map(({ name, bytes }) => [`${name}_mb`, bytes / 1e6])),
  })
} finally {
  await pool.end()
  store.close()
  await server.stop()
  await postgres.stop()
  rmSync(dir, { recursive: true, force: true })
}

async function seconds(work: () => Promise<void>): Promise<number> {
  const started = performance.now()
  await work()
  return (performance.now() - started) / 1_000
}

/** A random walk a symbol, quotes evenly spaced; rows arrive as they would live: by time, mixed. */
async function generateDay(target: Pool): Promise<void> {
  await target.query(
    `insert into marketdata.symbols (exchange, symbol)
     select 'binance-futures', 'SYM' || to_char(i, 'FM000') || 'USDT' from generate_series(1, $1) i`,
    [symbol_count],
  )
  for (let hour = 0; hour < 24; hour++) {
    const from = `${DAY}T${String(hour).padStart(2, '0')}:00:00Z`
    await target.query(
      `select marketdata.ensure_hour('book_ticker', $1), marketdata.ensure_hour('trades', $1)`,
      [from],
    )
    await target.query(
      `insert into marketdata.book_ticker
         (ts_exchange, ts_ingest, symbol_id, update_id, best_bid, best_ask, bid_qty, ask_qty)
       select ts, ts, s, ${hour} * 1000000 + n, bid, bid + 0.1, (n * s) % 977 * 0.001 + 0.001, (n * 31 + s) % 571 * 0.001 + 0.001
       from generate_series(1, $2::int) n, generate_series(1, $3::int) s,
         lateral (select $1::timestamptz + n * interval '1 second' / $4::float8 - interval '1 millisecond' * (s % 50) as ts,
                         round((1000 + 100 * sin(n * 0.001 * s) + s)::numeric, 1)::float8 as bid) x`,
      [from, Math.floor(3_600 * quotes_per_s) - 1, symbol_count, quotes_per_s],
    )
    await target.query(
      `insert into marketdata.trades (ts_exchange, ts_ingest, symbol_id, agg_trade_id, price, qty, is_buyer_maker)
       select ts, ts, s, ${hour} * 1000000 + n, 1000 + s, (n * s) % 977 * 0.001 + 0.001, (n + s) % 2 = 0
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

async function copyOut(source: Pool): Promise<void> {
  await withClient(source, async (client) => {
    for (const table of ['book_ticker', 'trades']) {
      const stream = client.query(
        copyStreams.to(`copy (select * from marketdata.${table}) to stdout (format binary)`),
      )
      for await (const chunk of stream) void chunk
    }
  })
}

function print(figures: Readonly<Record<string, number>>): void {
  for (const [name, value] of Object.entries(figures)) {
    process.stdout.write(`${name.padEnd(28)} ${Number.isInteger(value) ? value : value.toFixed(2)}\n`)
  }
}
