/** Pages of trades as Arrow never end inside one ts_exchange, hot and cold, at any page size. */
import { mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { tableFromIPC } from 'apache-arrow'
import { afterAll, beforeAll, expect, test } from 'vitest'
import { silentLogger } from '#core/node/log.ts'
import { fromMillis } from '#core/time.ts'
import { composeApp } from '../../edge-api/compose.ts'
import { runArchive } from '../../jobs/archive/run-archive.ts'
import { runRollups } from '../../jobs/rollups/run-rollups.ts'
import { dropPartition } from '../../jobs/retention/drop.ts'
import { selectPartitions } from '../../jobs/retention/partitions.ts'
import { insertSymbols, insertTrades } from '../jobs/market.ts'
import { startEdge } from './support.ts'

const edge = await startEdge()
const { pool, store } = edge
const now_ms = Date.parse('2024-08-09T20:00:00Z')
const app = composeApp(edge.bindings, { now: () => fromMillis(now_ms), report: () => undefined })
const work_dir = await mkdtemp(join(tmpdir(), 'booktape-times-'))
afterAll(() => rm(work_dir, { recursive: true }))
const common = { pool, log: silentLogger, now: () => now_ms }

/** Trades per time: one order often sweeps many levels. */
const COUNTS = [1, 1, 3, 2, 40, 1, 7, 500, 1, 9, 2, 2, 11, 1]
const FROM = Date.parse('2024-08-09T09:59:58Z') * 1_000
const RANGE = 'from=2024-08-09T09:00:00Z&to=2024-08-09T11:00:00Z'

beforeAll(async () => {
  await insertSymbols(pool, ['BTCUSDT'])
  let id = 1
  const trades = COUNTS.flatMap((count, i) =>
    Array.from({ length: count }, () => ({
      symbol: 'BTCUSDT',
      ts: FROM + i * 300_000,
      id: id++,
      price: 10,
      qty: 1,
      is_buyer_maker: false,
    })),
  )
  await insertTrades(pool, trades)
  await runRollups({ ...common, signal: new AbortController().signal })
})

type Trade = readonly [ts: bigint, id: bigint]

async function pages(limit: number): Promise<readonly (readonly Trade[])[]> {
  const found: Trade[][] = []
  let path: string | undefined = `/v1/trades/BTCUSDT?${RANGE}&limit=${limit}&format=arrow`
  while (path !== undefined) {
    const answer = await app.request(path)
    expect(answer.status).toBe(200)
    const table = tableFromIPC(new Uint8Array(await answer.arrayBuffer()))
    const times = table
      .getChild('ts_exchange')!
      .data.flatMap(({ values }) => [...(values as BigInt64Array)])
    const ids = [...(table.getChild('agg_trade_id') as Iterable<bigint>)]
    found.push(times.map((ts, i) => [ts, ids[i]!] as const))
    path = /<([^>]*)>; rel="next"/.exec(answer.headers.get('link') ?? '')?.[1]
  }
  return found
}

async function check(): Promise<void> {
  const total = COUNTS.reduce((sum, count) => sum + count, 0)
  for (const limit of [1, 2, 5, 45, 100, 579, 581, 10_000]) {
    const found = await pages(limit)
    const all = found.flat()
    expect(all.map(([, id]) => Number(id))).toEqual(Array.from({ length: total }, (_, i) => i + 1))
    const filled = found.filter((page) => page.length > 0)
    for (const [i, page] of filled.entries()) {
      if (i > 0) expect(page[0]![0], `limit ${limit}`).not.toBe(filled[i - 1]!.at(-1)![0])
      // More than `limit` only if one time alone has as many.
      if (page.length > limit) expect(new Set(page.map(([ts]) => ts)).size).toBe(1)
    }
  }
}

test('from Postgres', check)

test('other formats keep to the limit', async () => {
  const answer = await app.request(`/v1/trades/BTCUSDT?${RANGE}&limit=30`)
  expect(await answer.json()).toMatchObject({ row_count: 30 })
})

test('from the archive, across two hours', async () => {
  await runArchive({ ...common, store, work_dir, codec: 'zstd' })
  for (const state of await selectPartitions(pool)) {
    await dropPartition(pool, state).catch(() => undefined)
  }
  expect((await pool.query('select from marketdata.trades')).rowCount).toBe(0)
  await check()
})
