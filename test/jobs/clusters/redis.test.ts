/** The shared cache in a real redis-server, which stops and starts while bars are read. */
import { mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { expect, test } from 'vitest'
import { silentLogger } from '#core/node/log.ts'
import { HOUR_US, micros } from '#core/time.ts'
import { freePort } from '../../../infra/local/ports.ts'
import { createRedisCache } from '../../../jobs/clusters/redis-cache.ts'
import { atFileEnd } from '../../support/file-end.ts'
import { ended, has_redis, REDIS, startRedis } from '../../support/redis.ts'
import { insertTrades, type TradeRow } from '../market.ts'
import {
  addSymbol,
  addTrades,
  allBars,
  createStand,
  raiseThreshold,
  randomTrades,
} from './stand.ts'

const SYMBOL = 'BTCUSDT'
const FROM = Date.parse('2024-08-08T20:00:00Z') * 1_000
const TO = FROM + HOUR_US

test('redis-server stops and starts while bars are read: no error and no stale bar', async (context) => {
  context.skip(!has_redis, `${REDIS} is not installed.`)
  const dir = await mkdtemp(join(tmpdir(), 'booktape-redis-'))
  const port = await freePort()
  let redis = startRedis(dir, port)
  atFileEnd(async () => {
    redis.kill('SIGKILL')
    await rm(dir, { recursive: true })
  })
  const stand = await createStand()
  await addSymbol(stand.pool, SYMBOL, 0.1, 0.001)
  await insertTrades(
    stand.pool,
    randomTrades({ symbol: SYMBOL, from: FROM, minutes: 60, per_minute: 20, seed: 3 }),
  )
  await raiseThreshold(stand.pool, TO)
  const startEngine = () => {
    const url = `redis://127.0.0.1:${port}`
    const shared = createRedisCache({ url, lifetime_s: 600, log: silentLogger })
    // Every read goes to Redis: the memory holds nothing.
    return stand.startEngine({ shared, cache_bytes_max: 1_000 })
  }
  const engine = startEngine()
  const read = () => {
    const range = { from: micros(FROM), to: micros(TO) }
    return allBars(engine, { symbol: SYMBOL, ...range, interval: '1m', bin: 5 })
  }
  await expect
    .poll(async () => {
      await read()
      return engine.cache_counts.shared_hits
    })
    .toBeGreaterThan(60)
  const counted = (rows: Awaited<ReturnType<typeof read>>): number =>
    rows.reduce((sum, { trade_count }) => sum + trade_count, 0)
  let expected = 1_200
  const over = new AbortController()
  const reads: number[] = []
  const reading = (async () => {
    while (!over.signal.aborted) reads.push(counted(await read()))
  })()
  for (let round = 0; round < 3; round++) {
    const before = reads.length
    redis.kill(round === 1 ? 'SIGKILL' : 'SIGTERM')
    await ended(redis)
    await expect.poll(() => reads.length).toBeGreaterThan(before + 2)
    // While Redis is away, a late trade changes a bar that it has.
    await addTrades(stand.pool, [lateTrade(round)])
    expected++
    expect(counted(await read())).toBe(expected)
    redis = startRedis(dir, port)
    const { shared_hits } = engine.cache_counts
    await expect.poll(() => engine.cache_counts.shared_hits).toBeGreaterThan(shared_hits + 59)
    expect(counted(await read())).toBe(expected)
  }
  over.abort()
  await reading
  // Ascending: no read went back to what was before a late trade.
  expect(reads).toEqual(reads.toSorted((a, b) => a - b))
  expect(reads.at(-1)).toBe(expected)
})

function lateTrade(round: number): TradeRow {
  const ts = FROM + (10 + round) * 60_000_000
  return { symbol: SYMBOL, ts, id: 900_000 + round, price: 61_700, qty: 1, is_buyer_maker: false }
}
