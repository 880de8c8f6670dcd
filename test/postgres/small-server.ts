/**
 * A Postgres as small as a provider's smallest plan, with many partitions: 25 connections, 64 locks
 * for each of them, an hour a partition, rollups too. One row a table and hour, of one symbol.
 */
import { chmodSync, mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { ARCHIVED_NAMES } from '#core/archived-tables.ts'
import { migrate } from '#core/node/migrate.ts'
import { createPool, type Pool } from '#core/node/pool.ts'
import { HOUR_US, hourStart, type Micros, micros, toIso } from '#core/time.ts'
import { freePort } from '../../infra/local/ports.ts'
import { startPostgres } from '../../infra/local/postgres.ts'
import { START_MS } from '../ingestor/writer/support.ts'
import { atFileEnd } from '../support/file-end.ts'

export const MAX_CONNECTIONS = 25
/** What Postgres has room for, for each connection: max_locks_per_transaction. */
export const LOCKS_MAX = 64
export const SPARSE = 1
/** It spoke in the first hour alone. */
export const SILENT = 2

/** The last hour is that of the writer's frames. */
export const TO = micros(hourStart(micros(START_MS * 1_000)) + 2 * HOUR_US)

export interface SmallServer {
  readonly url: string
  readonly reader_url: string
  readonly pool: Pool
  readonly from: Micros
  readonly hour_count: number
  /** The row of SPARSE in an hour. */
  rowTime(hour: number): Micros
}

/**
 * With 720 hours `max_locks_per_transaction` times `max_connections` are not a fourth of the
 * partitions.
 */
export async function startSmallServer(hour_count: number): Promise<SmallServer> {
  const dir = mkdtempSync(join(tmpdir(), 'booktape-small-'))
  chmodSync(dir, 0o755)
  const server = await startPostgres({
    dir: join(dir, 'postgres'),
    port: await freePort(),
    bin_dir: process.env['TEST_POSTGRES_BIN'],
    password: 'test',
    settings: {
      fsync: 'off',
      synchronous_commit: 'off',
      full_page_writes: 'off',
      max_connections: String(MAX_CONNECTIONS),
      max_locks_per_transaction: String(LOCKS_MAX),
      'booktape.rollup_partition': 'hour',
    },
  })
  const pool = createPool(server.url, 'test', 3)
  atFileEnd(async () => {
    await pool.end()
    await server.stop()
    rmSync(dir, { recursive: true, force: true })
  })
  await migrate(pool)
  const from = micros(TO - hour_count * HOUR_US)
  await Promise.all(ARCHIVED_NAMES.map((table) => makePartitions(pool, table, from, hour_count)))
  await pool.query(`insert into marketdata.symbols (id, exchange, symbol, instrument_type, tick_size, step_size)
    overriding system value values
      (${SPARSE}, 'binance-futures', 'SPARSEUSDT', 'perp', 0.1, 0.001),
      (${SILENT}, 'binance-futures', 'SILENTUSDT', 'perp', 0.1, 0.001);
    select setval(pg_get_serial_sequence('marketdata.symbols', 'id'), 10);
    create role reader login password 'test' in role booktape_reader`)
  for (let hour = 0; hour < hour_count; hour += 8) {
    await insertRows(pool, from, hour, Math.min(hour + 7, hour_count - 1))
  }
  // With statistics Postgres reads the catalog in another order.
  await pool.query('analyze pg_class; analyze pg_inherits; create table backup_1690000000 (id int)')
  await pool.query(
    `insert into marketdata.stream_offsets
       (ingestor_id, symbol_id, channel, ts_exchange, ts_ingest, began_ts)
     values ('earlier', ${SPARSE}, 'mark_price', $1, $1, $1), ('earlier', ${SILENT}, 'mark_price', $2, $2, $2)`,
    [micros(TO - HOUR_US / 2), micros(from + HOUR_US / 2)].map(toIso),
  )
  const reader = new URL(server.url)
  reader.username = 'reader'
  return {
    url: server.url,
    reader_url: reader.href,
    pool,
    from,
    hour_count,
    rowTime: (hour) => micros(from + (hour + 0.5) * HOUR_US),
  }
}

/** As ensure_hour and ensure_day name them, many at once. */
async function makePartitions(
  pool: Pool,
  table: string,
  from: Micros,
  hour_count: number,
): Promise<void> {
  for (let first = 0; first < hour_count; first += 24) {
    await pool.query(`do $$
      declare
        hour timestamptz;
      begin
        for hour in
          select timestamptz '${toIso(from)}' + n * interval '1 hour'
          from generate_series(${first}, ${Math.min(first + 23, hour_count - 1)}) n
        loop
          execute format(
            'create table marketdata.%I partition of marketdata.${table} for values from (%L) to (%L)',
            '${table}' || to_char(hour, '"_"YYYYMMDDHH24'), hour, hour + interval '1 hour');
        end loop;
      end $$`)
  }
}

/** At half past every hour; of SILENT in the very first one. */
async function insertRows(pool: Pool, from: Micros, first: number, last: number): Promise<void> {
  const rows = `from generate_series(${first}, ${last}) as n,
    unnest(case n when 0 then array[${SPARSE}, ${SILENT}] else array[${SPARSE}] end) as id,
    lateral (select timestamptz '${toIso(from)}' + (n + 0.5) * interval '1 hour' as ts) t`
  await pool.query(`
    insert into marketdata.book_ticker (ts_exchange, ts_ingest, symbol_id, update_id, best_bid,
      best_ask, bid_qty, ask_qty) select ts, ts, id, 1, 100, 100.5, 1, 2 ${rows};
    insert into marketdata.trades (ts_exchange, ts_ingest, symbol_id, agg_trade_id, price, qty,
      is_buyer_maker) select ts, ts, id, extract(epoch from ts)::bigint / 3600, 100.2, 3, true ${rows};
    insert into marketdata.depth_events (ts_exchange, ts_ingest, symbol_id, final_update_id,
      first_update_id, depth_kind, bids, asks)
      select ts, ts, id, 1, null, 'snapshot', '{{100,1}}', '{{100.5,2}}' ${rows};
    insert into marketdata.depth_events (ts_exchange, ts_ingest, symbol_id, final_update_id,
      first_update_id, depth_kind, bids, asks)
      select ts + interval '1 ms', ts, id, 2, 2, 'diff', '{{99,1}}', '{}' ${rows};
    insert into marketdata.mark_price (ts_exchange, ts_ingest, symbol_id, mark_price)
      select ts, ts, id, 100.1 ${rows};
    insert into marketdata.liquidations (ts_exchange, ts_ingest, symbol_id, side, price, qty,
      average_price, filled_qty) select ts, ts, id, 'buy', 100, 1, 100, 1 ${rows};
    insert into marketdata.orderbook_topn (ts_exchange, symbol_id, final_update_id, b1_price, b1_qty,
      a1_price, a1_qty) select ts, id, 1, 100, 1, 100.5, 2 ${rows}`)
}
