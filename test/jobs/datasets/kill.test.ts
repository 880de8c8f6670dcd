/** kill -9 in the middle of archive, features and publish, again and again: then the same bytes. */
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

const MIDNIGHT = Date.parse('2024-08-09T00:00:00Z') * 1_000
const DATE = parseDay('2024-08-09')!
const SYMBOLS = ['BTCUSDT', '龙USDT']
const MAIN = new URL('kill-main.ts', import.meta.url)

async function load({ pool }: Stand): Promise<void> {
  await insertSymbols(pool, SYMBOLS)
  for (const [place, symbol] of SYMBOLS.entries()) {
    const random = randomNumbers(place + 1)
    const times = Array.from({ length: 4_000 }, (_, i) => MIDNIGHT + place + Math.round((i + random()) * 1e6))
    await insertQuotes(
      pool,
      times.map((ts, i) => ({ symbol, ts, id: i + 1, bid: 100 + random(), bid_qty: 1, ask: 102, ask_qty: random() })),
    )
    await insertTrades(
      pool,
      times.map((ts, i) => ({ symbol, ts, id: i + 1, price: 101, qty: random(), is_buyer_maker: random() < 0.5 })),
    )
  }
  const gap = { symbol: 'BTCUSDT', from_ts: MIDNIGHT + 100e6, to_ts: MIDNIGHT + 130e6 }
  for (const channel of ['trades', 'book_ticker'] as const) await insertGap(pool, { ...gap, channel })
}

function start({ database_url, store_config, dir }: Stand): ChildProcess {
  const task: KillTask = { database_url, store_config, work_dir: join(dir, 'work'), date: DATE, now_ms: NOON }
  return fork(MAIN, [JSON.stringify(task)], { execArgv: [], stdio: ['ignore', 'ignore', 'inherit', 'ipc'] })
}

/** Until the process has got to its end, and the milliseconds from its begin to each of its stages. */
async function runToEnd(stand: Stand): Promise<readonly number[]> {
  const child = start(stand)
  const stages: number[] = []
  child.on('message', () => stages.push(performance.now()))
  const [code] = (await once(child, 'exit')) as [number]
  expect(code).toBe(0)
  stages.push(performance.now())
  return stages.map((ms) => ms - stages[0]!)
}

/** Killed so long after its begin; false where it had ended before. */
async function runAndKill(stand: Stand, after_ms: number): Promise<boolean> {
  await lockIsFree(stand)
  const child = start(stand)
  const exited = once(child, 'exit') as Promise<[number | null, string | null]>
  await Promise.race([once(child, 'message'), exited])
  await new Promise((resolve) => setTimeout(resolve, after_ms))
  child.kill('SIGKILL')
  return (await exited)[1] === 'SIGKILL'
}

/** Postgres needs a moment to see that a session is dead, and gives its locks back then. */
async function lockIsFree({ pool }: Stand): Promise<void> {
  await expect
    .poll(async () => (await pool.query("select from pg_stat_activity where application_name = 'killed'")).rowCount)
    .toBe(0)
}

async function bytesOf({ store }: Stand): Promise<Readonly<Record<string, string>>> {
  const objects: Record<string, string> = {}
  for (const { key } of await store.list('')) {
    objects[key] = Buffer.from((await store.get(key))!).toString('base64')
  }
  return objects
}

test('what is built after many kills has the bytes of what was never disturbed, and nothing is left over', async () => {
  const clean = await createStand()
  await load(clean)
  const [, archived = 0, features = 0, ended = 0] = await runToEnd(clean)
  const expected = await bytesOf(clean)
  expect(Object.keys(expected).length).toBeGreaterThan(30)

  const stand = await createStand()
  await load(stand)
  // Stages that were finished run again, quicker or as before: kills spread over all of them.
  const moments = [0.3, 0.6, 0.9].map((part) => part * archived)
  for (const part of [0.4, 0.7, 0.9]) moments.push(archived * 0.3 + part * (features - archived))
  for (const part of [0.3, 0.8]) moments.push(features - archived * 0.7 + part * (ended - features))
  for (const moment of moments) {
    // A run that ends before its moment changes nothing: the next one is killed sooner.
    let after_ms = moment
    while (!(await runAndKill(stand, after_ms))) after_ms *= 0.7
  }

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
