/**
 * The files of `depth` as numpy, Python's tarfile and DuckDB read them, against a plain replay: a
 * lost update, a thin book, snapshots, a gap, updates that overtook each other, a refilled trade,
 * and a clock that is behind the exchange's.
 */
import { spawnSync } from 'node:child_process'
import { mkdirSync } from 'node:fs'
import { writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { DuckDBInstance } from '@duckdb/node-api'
import { expect, test } from 'vitest'
import { silentLogger } from '#core/node/log.ts'
import { parseDay } from '#core/time.ts'
import { runDatasets } from '../../../jobs/datasets/run-datasets.ts'
import { runVerify } from '../../../jobs/datasets/verify/run-verify.ts'
import { publishedKey, readManifest, versionOf } from '../../support/published.ts'
import { hasPython, PYTHON } from '../../support/python.ts'
import { randomNumbers } from '../features/random.ts'
import { depthOf, MIDNIGHT } from '../lob/depth.ts'
import { insertDepth, insertGap, insertQuotes, insertSymbols, insertTrades } from '../market.ts'
import { createStand, NOON } from '../stand.ts'

const ORACLE = fileURLToPath(new URL('depth-oracle.py', import.meta.url))
const DATE = parseDay('2024-08-09')!
const GAP = { from_ts: MIDNIGHT + 100e6, to_ts: MIDNIGHT + 103e6 }

const seeds = (process.env['DEPTH_SEEDS'] ?? '3,20').split(',').map(Number)
for (const seed of seeds) {
  test.skipIf(!hasPython('numpy'))(
    `the forms of a day, seed ${seed}: each reader has our book (needs python3-numpy)`,
    async () => {
      const stand = await createStand()
      const { pool, store, dir } = stand
      const random = randomNumbers(seed * 7)
      await insertSymbols(pool, ['BTCUSDT'])
      const arrival = (ts: number): number => Math.round(ts + random() * 90_000 - 2_000)
      const text = (levels: readonly (readonly [number, number])[]): string =>
        `{${levels.map(([price, qty]) => `{${price},${qty}}`).join(',')}}`
      const depth = depthOf(seed, 1_500).map((row) => ({
        ...row,
        arrived: arrival(row.ts_exchange),
      }))
      await insertDepth(
        pool,
        depth.map((row) => ({
          symbol: 'BTCUSDT',
          ts: row.ts_exchange,
          kind: row.depth_kind,
          before: row.prev_final_update_id,
          id: row.final_update_id,
          bids: text(row.bids),
          asks: text(row.asks),
        })),
      )
      const trades = Array.from({ length: 400 }, (_, i) => {
        const ts = MIDNIGHT + Math.floor(i / 2) * 700_001
        // Some are refilled a minute later.
        const arrived = i % 50 === 7 ? ts + 60e6 : arrival(ts)
        const price = Math.round(600_000 + random() * 100) / 10
        const qty = Math.ceil(random() * 9_000) / 1_000
        return { ts, arrived, id: i + 1, price, qty, is_buyer_maker: random() < 0.5 }
      })
      await insertTrades(
        pool,
        trades.map((trade) => ({ symbol: 'BTCUSDT', ...trade })),
      )
      const quotes = trades.map(({ ts, id, price, qty }) => {
        return { symbol: 'BTCUSDT', ts, id, bid: price, bid_qty: qty, ask: price + 1, ask_qty: qty }
      })
      await insertQuotes(pool, quotes)
      for (const [table, id, rows] of [
        ['depth_events', 'final_update_id', depth.map((row) => [row.final_update_id, row.arrived])],
        ['trades', 'agg_trade_id', trades.map((row) => [row.id, row.arrived])],
        ['book_ticker', 'update_id', trades.map((row) => [row.id, row.arrived])],
      ] as const) {
        await pool.query(
          `update marketdata.${table} t set ts_ingest = to_timestamp(r.us / 1000000)
             + make_interval(secs => mod(r.us, 1000000) / 1e6)
           from unnest($1::int8[], $2::int8[]) as r (id, us) where t.${id} = r.id`,
          [rows.map(([one]) => one), rows.map(([, us]) => us)],
        )
      }
      await insertGap(pool, { symbol: 'BTCUSDT', channel: 'depth_events', ...GAP })
      const job = { pool, store, work_dir: join(dir, 'work'), log: silentLogger, now: () => NOON }
      await runDatasets({ ...job, date: DATE, depth_symbols: ['BTCUSDT'] })
      const verified = await runVerify({ ...job, dataset: 'depth', date: DATE })
      expect(verified.findings).toEqual([])
      expect(verified.file_count).toBe(7)

      const manifest = (await readManifest(store, 'depth', versionOf('depth'), DATE))!
      for (const { name } of manifest.files) {
        await writeFile(join(dir, name), (await store.get(publishedKey(manifest, name)))!)
      }
      const catalogue = join(dir, 'catalogue')
      mkdirSync(catalogue)
      const tar = join(dir, 'binance-futures_nautilus_2024-08-09_BTCUSDT.tar')
      run([
        '-c',
        'import sys, tarfile; tarfile.open(sys.argv[1]).extractall(sys.argv[2])',
        tar,
        catalogue,
      ])
      const instance = await DuckDBInstance.create(':memory:')
      const connection = await instance.connect()
      const select = async (sql: string): Promise<unknown[][]> =>
        (await connection.runAndReadAll(sql)).getRowsJson() as unknown[][]
      const fileOf = (kind: string): string =>
        join(catalogue, 'data', kind, 'BTCUSDT-PERP.BINANCE', '*.parquet')
      const deltas = await select(
        `select action, side, hex(price), hex(size), flags, sequence::double,
           ts_event::double, ts_init::double from read_parquet('${fileOf('order_book_deltas')}')`,
      )
      expect(
        await select(
          `select column_name, column_type from (describe select * from
             read_parquet('${fileOf('order_book_deltas')}'))`,
        ),
      ).toEqual([
        ['action', 'UTINYINT'],
        ['side', 'UTINYINT'],
        ['price', 'BLOB'],
        ['size', 'BLOB'],
        ['order_id', 'UBIGINT'],
        ['flags', 'UTINYINT'],
        ['sequence', 'UBIGINT'],
        ['ts_event', 'UBIGINT'],
        ['ts_init', 'UBIGINT'],
      ])
      expect(
        await select(
          `select decode(key), decode(value)
           from parquet_kv_metadata('${fileOf('order_book_deltas')}')`,
        ),
      ).toEqual([
        ['instrument_id', 'BTCUSDT-PERP.BINANCE'],
        ['price_precision', '1'],
        ['size_precision', '3'],
      ])
      const arrived = trades.toSorted((a, b) => a.arrived - b.arrived || a.id - b.id)
      expect(
        await select(
          `select hex(price), hex(size), aggressor_side, trade_id, ts_event::varchar,
             ts_init::varchar from read_parquet('${fileOf('trade_tick')}')`,
        ),
      ).toEqual(
        arrived.map(({ price, qty, is_buyer_maker, id, ts, arrived: us }) => [
          fixed(price),
          fixed(qty),
          is_buyer_maker ? 2 : 1,
          String(id),
          `${ts}000`,
          `${us}000`,
        ]),
      )
      expect(
        await select(
          `select hex(bid_price), hex(ask_price), hex(bid_size), ts_init::varchar
           from read_parquet('${fileOf('quote_tick')}')`,
        ),
      ).toEqual(
        arrived.map(({ price, qty, arrived: us }) => [
          fixed(price),
          fixed(price + 1),
          fixed(qty),
          `${us}000`,
        ]),
      )
      connection.closeSync()
      instance.closeSync()

      const input = JSON.stringify({
        dir,
        name: 'binance-futures_KIND_2024-08-09_BTCUSDT',
        from: MIDNIGHT,
        gaps: [[GAP.from_ts, GAP.to_ts]],
        rows: depth.map((row) => [
          row.depth_kind,
          row.ts_exchange,
          row.arrived,
          row.final_update_id,
          row.prev_final_update_id,
          row.bids,
          row.asks,
        ]),
        trades: trades.map((row) => [row.ts, row.arrived, row.price, row.qty, row.is_buyer_maker]),
        deltas: deltas.map((row) =>
          row.map((cell, i) => (i === 2 || i === 3 ? rawOf(cell) : cell)),
        ),
      })
      const { wrong, count } = JSON.parse(run([ORACLE], input)) as {
        readonly wrong: readonly string[]
        readonly count: number
      }
      expect(wrong).toEqual([])
      expect(count).toBeGreaterThan(1_000)
    },
  )
}

/** 16 bytes, little-endian, as hexadecimal digits. */
function hexOf(raw: bigint): string {
  return reversed(raw.toString(16).padStart(32, '0')).toUpperCase()
}

/** A decimal of up to three places, times 10^16. */
function fixed(value: number): string {
  return hexOf(BigInt(Math.round(value * 1_000)) * 10n ** 13n)
}

function rawOf(hex: unknown): string {
  return String(BigInt(`0x${reversed(String(hex))}`))
}

function reversed(hex: string): string {
  return Buffer.from(Buffer.from(hex, 'hex').toReversed()).toString('hex')
}

function run(args: readonly string[], input = ''): string {
  const ran = spawnSync(PYTHON, args, { input, maxBuffer: 1 << 28, encoding: 'utf8' })
  expect(ran.stderr).toBe('')
  return ran.stdout
}
