/** Kills archive, features and publish (-9) again and again; the results have the same bytes. */
import { fork, type ChildProcess } from 'node:child_process'
import { once } from 'node:events'
import { readdir } from 'node:fs/promises'
import { join } from 'node:path'
import { expect, test } from 'vitest'
import { parseDay } from '#core/time.ts'
import { randomNumbers } from '../features/random.ts'
import { insertGap, insertQuotes, insertSymbols, insertTrades } from '../market.ts'
import { createStand, NOON, type Stand } from '../stand.ts'
import type { KillTask } from './kill-main.ts'

/** From ten minutes before a full hour to seven minutes after it. */
const BEGIN = Date.parse('2024-08-09T00:50:00Z') * 1_000
const DATE = parseDay('2024-08-09')!
const SYMBOLS = ['BTCUSDT', '龙USDT']
const MAIN = new URL('kill-main.ts', import.meta.url)

async function load({ pool }: Stand): Promise<void> {
  await insertSymbols(pool, SYMBOLS)
  for (const [place, symbol] of SYMBOLS.entries()) {
    const random = randomNumbers(place + 1)
    const times = Array.from(
      { length: 1_000 },
      (_, i) => BEGIN + place + Math.round((i + random()) * 1e6),
    )
    await insertQuotes(
      pool,
      times.map((ts, i) => ({
        symbol,
        ts,
        id: i + 1,
        bid: 100 + random(),
        bid_qty: 1,
        ask: 102,
        ask_qty: random(),
      })),
    )
    await insertTrades(
      pool,
      times.map((ts, i) => ({
        symbol,
        ts,
        id: i + 1,
        price: 101,
        qty: random(),
        is_buyer_maker: random() < 0.5,
      })),
    )
  }
  const gap = { symbol: 'BTCUSDT', from_ts: BEGIN + 100e6, to_ts: BEGIN + 130e6 }
  for (const channel of ['trades', 'book_ticker'] as const)
    await insertGap(pool, { ...gap, channel })
}

function start({ database_url, store_config, dir }: Stand, write_index: number): ChildProcess {
  const work_dir = join(dir, 'work')
  const task: KillTask = {
    database_url,
    store_config,
    work_dir,
    date: DATE,
    now_ms: NOON,
    write_index,
  }
  return fork(MAIN, [JSON.stringify(task)], {
    execArgv: [],
    stdio: ['ignore', 'ignore', 'inherit', 'ipc'],
  })
}

/** Runs the process to its end. Returns the number of its writes to the store. */
async function runToEnd(stand: Stand): Promise<number> {
  const child = start(stand, -1)
  let write_count = 0
  child.on('message', (count) => (write_count = Number(count)))
  const [code] = (await once(child, 'exit')) as [number]
  expect(code).toBe(0)
  return write_count
}

/** Kills the process at that write; false if it ended before. */
async function runAndKill(stand: Stand, write_index: number): Promise<boolean> {
  await lockIsFree(stand)
  const [, signal] = (await once(start(stand, write_index), 'exit')) as [
    number | null,
    string | null,
  ]
  return signal === 'SIGKILL'
}

/** Postgres takes a while to notice that a session is dead, and only then releases its locks. */
async function lockIsFree({ pool }: Stand): Promise<void> {
  await expect
    .poll(
      async () =>
        (await pool.query("select from pg_stat_activity where application_name = 'killed'"))
          .rowCount,
    )
    .toBe(0)
}

async function bytesOf({ store }: Stand): Promise<Readonly<Record<string, string>>> {
  const objects: Record<string, string> = {}
  for (const { key } of await store.list('')) {
    objects[key] = Buffer.from((await store.get(key))!).toString('base64')
  }
  return objects
}

test('a build after many kills has the bytes of an undisturbed one and leaves nothing behind', async () => {
  const clean = await createStand()
  await load(clean)
  const write_count = await runToEnd(clean)
  const expected = await bytesOf(clean)
  expect(Object.keys(expected).length).toBeGreaterThan(30)

  const stand = await createStand()
  await load(stand)
  // Files that a killed run had finished are not written again, so the next one gets further.
  let kill_count = 0
  const step = Math.ceil(write_count / 6)
  while (await runAndKill(stand, kill_count % 2 === 0 ? step : step + 1)) kill_count += 1
  expect(kill_count).toBeGreaterThanOrEqual(3)

  await lockIsFree(stand)
  await runToEnd(stand)
  const found = await bytesOf(stand)
  expect(Object.keys(found)).toEqual(Object.keys(expected))
  for (const [key, bytes] of Object.entries(expected)) expect(found[key] === bytes, key).toBe(true)
  expect(await readdir(join(stand.dir, 'work'))).toEqual([])
  const { rows } = await stand.pool.query(
    "select status, count(*)::int as count from marketdata.job_runs where status = 'running' group by 1",
  )
  expect(rows).toEqual([])
})
