/** Footprint bars and volume profiles through the worker, in Node and in real workerd. */
import { mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { beforeAll, expect, test } from 'vitest'
import type { ClusterRow } from '#core/clusters/row.ts'
import { DAY_US, fromMillis, HOUR_US, micros, toIso } from '#core/time.ts'
import { composeApp } from '../../edge-api/compose.ts'
import { buildWorker, startWorker } from '../../infra/local/worker.ts'
import { raiseThreshold, randomTrades } from '../jobs/clusters/stand.ts'
import { insertGap, insertTrades } from '../jobs/market.ts'
import { startClusterEngine, type TestClusterEngine } from './cluster-engine.ts'
import { type Ask, type Contract, readContract } from './contract.ts'
import { addSymbol, startEdge } from './support.ts'

const SYMBOL = 'BTCUSDT'
const DAY = '2024-08-08'
const FROM = Date.parse(`${DAY}T00:00:00Z`) * 1_000
const TO = FROM + DAY_US
const NOW = fromMillis(Date.parse('2024-08-09T00:30:00Z'))

const edge = await startEdge()
let engine: TestClusterEngine
let ask: Ask
let contract: Contract
let bindings: Readonly<Record<string, string>>

beforeAll(async () => {
  const { pool } = edge
  await addSymbol(pool, SYMBOL)
  await pool.query('update marketdata.symbols set tick_size = 0.1')
  const of_day = { symbol: SYMBOL, from: FROM, minutes: 1_440, per_minute: 60, seed: 5 }
  await insertTrades(pool, randomTrades(of_day))
  await raiseThreshold(pool, TO - HOUR_US)
  engine = await startClusterEngine(edge)
  bindings = { ...edge.bindings, ...engine.bindings }
  const app = composeApp(bindings, { now: () => NOW, report: () => undefined })
  ask = async (path, init) => app.request(path, init)
  contract = await readContract(ask)
})

interface Page {
  readonly next: string | null
  readonly row_count: number
  readonly open_gaps: readonly unknown[]
  readonly rows: readonly ClusterRow[]
}

async function page(path: string): Promise<Page> {
  const answer = await ask(path)
  expect([path, answer.status]).toEqual([path, 200])
  return contract.check<Page>(path, answer)
}

async function all(path: string): Promise<readonly ClusterRow[]> {
  const rows: ClusterRow[] = []
  for (let next: string | null = path; next !== null;) {
    const answer: Page = await page(next)
    expect(answer.row_count).toBe(answer.rows.length)
    rows.push(...answer.rows)
    next = answer.next
  }
  return rows
}

test('pages of any size, in both orders, have the same bars', async () => {
  const path = `/v1/clusters/${SYMBOL}?interval=5m&bin=auto&from=${DAY}T20:00:00Z&to=2024-08-09`
  const rows = await all(path)
  expect(rows).toHaveLength(48)
  for (const limit of [1, 7, 48]) expect(await all(`${path}&limit=${limit}`)).toEqual(rows)
  expect(await all(`${path}&limit=7&order=desc`)).toEqual(rows.toReversed())
  const final = rows.filter(({ is_final }) => is_final)
  expect(final).toEqual(rows.slice(0, 36))
})

test('final ranges may be cached for a minute, open ones for a second', async () => {
  const cacheOf = async (from: string, to: string) => {
    const answer = await ask(`/v1/clusters/${SYMBOL}?from=${DAY}T${from}&to=${DAY}T${to}`)
    expect(answer.headers.get('etag')).toMatch(/^"\w{32,48}"$/)
    return answer.headers.get('cache-control')
  }
  expect(await cacheOf('10:00:00Z', '11:00:00Z')).toBe('public, max-age=60')
  expect(await cacheOf('22:30:00Z', '23:30:00Z')).toBe(
    'public, max-age=1, stale-while-revalidate=2',
  )
})

test('a volume profile is the sum of the bars, and names open gaps', async () => {
  const from_ts = FROM + 10.2 * HOUR_US
  await insertGap(edge.pool, { symbol: SYMBOL, channel: 'trades', from_ts, to_ts: from_ts + 1 })
  const range = `from=${DAY}T10:00:00Z&to=${DAY}T14:00:00Z`
  const path = `/v1/volume-profile/${SYMBOL}?${range}&bin=50`
  const profile = await contract.check<ClusterRow>(path, await ask(path))
  const bars = await page(`/v1/clusters/${SYMBOL}?${range}&interval=1h&bin=50`)
  const gap = { from_ts: toIso(micros(from_ts)), to_ts: toIso(micros(from_ts + 1)) }
  expect(bars.open_gaps).toEqual([{ ...gap, cause: 'disconnect' }])
  const thousandths = (text: string): number => Math.round(Number(text) * 1_000)
  const sums = new Map<string, number[]>()
  for (const [price, ...values] of bars.rows.flatMap(({ cells }) => cells)) {
    const [buy, sell, buys, sells] = values
    const sum = sums.get(price) ?? [0, 0, 0, 0]
    const add = [thousandths(buy), thousandths(sell), buys, sells]
    sums.set(
      price,
      sum.map((value, i) => value + add[i]!),
    )
  }
  const found = profile.cells.map(([price, buy, sell, buys, sells]) => {
    return [price, [thousandths(buy), thousandths(sell), buys, sells]]
  })
  expect(Object.fromEntries(found)).toEqual(Object.fromEntries(sums))
  const empty = `/v1/volume-profile/${SYMBOL}?from=2024-01-01&to=2024-01-02`
  expect(await contract.check(empty, await ask(empty))).toMatchObject({ cells: [], poc: null })
})

test('bad input is refused with the name of the parameter and what is allowed', async () => {
  for (const [query, parameter] of [
    ['bin=0', 'bin'],
    ['bin=1.5', 'bin'],
    ['bin=1000001', 'bin'],
    ['bin=fine', 'bin'],
    ['interval=7m', 'interval'],
    ['limit=1501', 'limit'],
    ['order=up', 'order'],
    ['from=2024-08-09&to=2024-08-08', 'from'],
    ['cursor=x!', 'cursor'],
    ['format=csv', 'format'],
  ] as const) {
    const answer = await ask(`/v1/clusters/${SYMBOL}?${query}`)
    const { errors } = (await answer.json()) as { errors?: readonly { parameter: string }[] }
    expect([query, answer.status, errors?.[0]?.parameter]).toEqual([query, 400, parameter])
  }
  const huge = await ask(`/v1/volume-profile/${SYMBOL}?from=2020-01-01&to=2024-08-09`)
  expect([huge.status, ((await huge.json()) as { detail: string }).detail]).toEqual([
    400,
    expect.stringContaining('14 days'),
  ])
  expect((await ask('/v1/clusters/NOSUCH')).status).toBe(404)
  // A range of years is pages of two weeks.
  const years = await page(`/v1/clusters/${SYMBOL}?interval=1d&bin=100&from=2020-01-01&limit=1500`)
  expect([years.rows, years.next]).toEqual([[], expect.stringContaining('cursor=')])
})

test('in workerd: a day of one-minute bars, at one tick and at automatic bins', async () => {
  const dir = await mkdtemp(join(tmpdir(), 'booktape-clusters-'))
  const worker = await startWorker({
    port: 0,
    bundle: await buildWorker(join(dir, 'bundle')),
    bindings,
    persist_dir: join(dir, 'miniflare'),
  })
  try {
    for (const bin of ['1', 'auto']) {
      const path = `/v1/clusters/${SYMBOL}?bin=${bin}&from=${DAY}&to=2024-08-09&limit=1500`
      const rows: ClusterRow[] = []
      for (let next: string | null = path; next !== null;) {
        const answer = await fetch(`${worker.url.replace(/\/$/, '')}${next}`)
        const text = await answer.text()
        expect([answer.status, answer.status === 200 ? '' : text]).toEqual([200, ''])
        expect(text.length).toBeLessThan(3 << 20)
        const read = JSON.parse(text) as Page
        rows.push(...read.rows)
        next = read.next
      }
      expect(rows).toHaveLength(1_440)
      expect(rows.reduce((sum, { trade_count }) => sum + trade_count, 0)).toBe(86_400)
    }
  } finally {
    await worker.stop()
    await rm(dir, { recursive: true })
  }
})

test('an AI gets the same bars over MCP', async () => {
  const range = { from: toIso(micros(FROM)), to: toIso(micros(FROM + HOUR_US)), limit: 3 }
  const post = await ask('/mcp', {
    method: 'POST',
    headers: {
      'content-type': 'application/json',
      accept: 'application/json, text/event-stream',
    },
    body: JSON.stringify({
      jsonrpc: '2.0',
      id: 1,
      method: 'tools/call',
      params: {
        name: 'get_clusters',
        arguments: { symbol: SYMBOL, interval: '5m', bin: '10', ...range },
      },
    }),
  })
  const text = await post.text()
  const message = JSON.parse(text.replace(/^event: message\ndata: /, '')) as {
    readonly result: { readonly content: readonly { readonly text: string }[] }
  }
  const query = new URLSearchParams({ interval: '5m', bin: '10', ...range, limit: '3' })
  const route = await ask(`/v1/clusters/${SYMBOL}?${query}`)
  const expected = (await route.json()) as Page
  expect(expected.row_count).toBe(3)
  expect(JSON.parse(message.result.content[0]!.text)).toEqual(expected)
})

test('the engine stops and starts: a named 503, and an answer again', async () => {
  const path = `/v1/clusters/${SYMBOL}?from=${DAY}T10:00:00Z&to=${DAY}T11:00:00Z`
  await engine.stop()
  const away = await ask(path)
  const { type } = (await away.json()) as { type: string }
  expect([away.status, type, away.headers.get('retry-after')]).toEqual([
    503,
    'urn:booktape:problem:clusters_unreachable',
    '5',
  ])
  const without = composeApp(edge.bindings, { now: () => NOW, report: () => undefined })
  expect((await without.request(path)).status).toBe(404)
})
