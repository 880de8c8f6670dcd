/**
 * Builds of the current day continue after the kept hours. They publish the bytes of a build from
 * midnight, whatever has changed in the inputs of those hours.
 */
import { readdir, stat, truncate } from 'node:fs/promises'
import { join } from 'node:path'
import { pino } from 'pino'
import { expect, test } from 'vitest'
import { silentLogger } from '#core/node/log.ts'
import {
  insertDepth,
  insertGap,
  insertMarks,
  insertQuotes,
  insertSymbols,
  insertTrades,
} from '../market.ts'
import { createStand, type Stand } from '../stand.ts'

const DATE = '2024-08-20'
const MIDNIGHT = Date.parse(`${DATE}T00:00:00Z`) * 1_000
const at = (hours: number, seconds = 0): number => MIDNIGHT + (hours * 3_600 + seconds) * 1e6

/** A quote, a trade and a change of the book every few seconds. */
async function load({ pool }: Stand, symbol: string, from: number, to: number): Promise<void> {
  const times = (step_s: number): number[] =>
    Array.from(
      { length: Math.ceil((to - from) / (step_s * 1e6)) },
      (_, i) => from + i * step_s * 1e6 + 1,
    )
  const id = (ts: number): number => Math.floor((ts - MIDNIGHT) / 1e6) + 100_000
  await insertQuotes(
    pool,
    times(7).map((ts) => ({
      symbol,
      ts,
      id: id(ts),
      bid: 100 + (id(ts) % 9) / 10,
      bid_qty: 1 + (id(ts) % 5),
      ask: 102,
      ask_qty: 2,
    })),
  )
  await insertTrades(
    pool,
    times(11).map((ts) => ({
      symbol,
      ts,
      id: id(ts),
      price: 101,
      qty: 0.1 + (id(ts) % 3),
      is_buyer_maker: id(ts) % 2 === 0,
    })),
  )
  const levels = (side: 1 | -1, qty: number): string =>
    `{${Array.from({ length: 12 }, (_, k) => `{${101 + side * (k + 1)},${qty + k}}`).join(',')}}`
  await insertDepth(
    pool,
    times(13).map((ts, i) => ({
      symbol,
      ts,
      kind: i === 0 ? 'snapshot' : 'diff',
      before: i === 0 ? null : id(ts) - 13,
      id: id(ts),
      bids: levels(-1, 1 + (id(ts) % 4)),
      asks: levels(1, 2),
    })),
  )
  await insertMarks(
    pool,
    times(60).map((ts) => ({ symbol, ts, mark: 101, index: 100.5, funding: 0.0001 })),
  )
}

/** Like the writer below the threshold: row and log entry in one transaction. */
async function insertLate({ pool }: Stand, symbol: string, ts: number): Promise<void> {
  await pool.query(
    `with late as (
       insert into marketdata.trades (ts_exchange, ts_ingest, symbol_id, agg_trade_id, price, qty, is_buyer_maker)
       select to_timestamp($2::float8 / 1e6), now(), id, 5, 101, 3, true from marketdata.symbols where symbol = $1
       returning symbol_id, ts_exchange
     )
     insert into marketdata.invalidations (consumer, table_name, symbol_id, lowest, greatest)
     select consumer, table_name, symbol_id, ts_exchange, ts_exchange
     from late, marketdata.invalidation_thresholds, unnest(consumers) consumer
     where table_name = 'trades' and ts_exchange < threshold`,
    [symbol, ts],
  )
}

const stand = await createStand()
const kept_dir = join(stand.dir, 'today')
const warnings: string[] = []
const log = pino(
  { level: 'warn' },
  { write: (line: string) => void warnings.push(JSON.parse(line).code) },
)

/** Builds both ways. Returns the kept hours that were not built again. */
async function build(
  hours: number,
  minutes: number,
): Promise<{ readonly taken: number; readonly made: number }> {
  const now = () => (at(hours, minutes * 60) + 30e6) / 1_000
  const before = await keptFiles()
  const kept = await stand.features(DATE, { now, kept_dir, log })
  const after = await keptFiles()
  const scratch = await stand.features(DATE, { now, log: silentLogger })
  expect(kept.sets).toEqual(scratch.sets)
  const taken = [...after].filter(([name, version]) => before.get(name) === version).length
  return { taken, made: after.size - taken }
}

async function keptFiles(): Promise<ReadonlyMap<string, string>> {
  const dir = join(kept_dir, DATE)
  const names = (await readdir(dir).catch(() => [])).filter((name) => name !== 'seen.json')
  const files = await Promise.all(
    names.map(async (name) => {
      const { ino, mtimeMs } = await stat(join(dir, name))
      return [name, `${ino} ${mtimeMs}`] as const
    }),
  )
  return new Map(files)
}

test('today’s build continues where the last one ended, and has the bytes of a build from midnight', async () => {
  await insertSymbols(stand.pool, ['BTCUSDT', 'ETHUSDT', 'ADAUSDT', 'SOLUSDT'])
  // BTC is carried over midnight; ETH begins just before the second hour.
  await load(stand, 'BTCUSDT', at(0, -120), at(1, 240))
  await load(stand, 'ETHUSDT', at(0, 3_400), at(1, 240))
  expect(await build(1, 4)).toEqual({ taken: 0, made: 2 })
  // Nothing has changed: the next build reuses both.
  expect(await build(1, 5)).toEqual({ taken: 2, made: 0 })

  // A new symbol and one more hour. The new name sorts after the others.
  await load(stand, 'BTCUSDT', at(1, 241), at(2, 240))
  await load(stand, 'ETHUSDT', at(1, 241), at(2, 240))
  await load(stand, 'SOLUSDT', at(2, 5), at(2, 240))
  expect(await build(2, 4)).toEqual({ taken: 2, made: 2 })

  // A late row in the first hour: nothing of that symbol is reused.
  await insertLate(stand, 'BTCUSDT', at(0, 1_800))
  expect(await build(2, 5)).toEqual({ taken: 2, made: 2 })
  expect(await build(2, 5)).toEqual({ taken: 4, made: 0 })

  // One gap is found later, and one begins after all kept hours.
  const gap = {
    symbol: 'ETHUSDT',
    channel: 'book_ticker',
    from_ts: at(1, 1_800),
    to_ts: at(1, 1_900),
  } as const
  await insertGap(stand.pool, gap)
  await insertGap(stand.pool, { ...gap, symbol: 'BTCUSDT', from_ts: at(2, 200), to_ts: at(2, 210) })
  expect(await build(2, 5)).toEqual({ taken: 3, made: 1 })
  await stand.pool.query('update marketdata.gaps set repaired_at = now()')
  expect(await build(2, 5)).toEqual({ taken: 3, made: 1 })

  // A truncated file: a warning, and its hour and the later ones are built again.
  expect(warnings).toEqual([])
  const [first] = [...(await keptFiles()).keys()].filter((name) => name.endsWith('-00')).toSorted()
  await truncate(join(kept_dir, DATE, first!), 1_000)
  expect(await build(2, 5)).toEqual({ taken: 2, made: 2 })
  expect(warnings).toEqual(['kept_hour_damaged'])

  // A name that sorts before the others changes their indexes in the dictionaries.
  await load(stand, 'ADAUSDT', at(2, 230), at(2, 240))
  expect(await build(2, 5)).toEqual({ taken: 0, made: 4 })
})
