/** What the worker writes to Analytics Engine and to its log, in workerd. */
import { mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { dirname, join } from 'node:path'
import { setTimeout as sleep } from 'node:timers/promises'
import { build } from 'esbuild'
import { afterAll, beforeAll, beforeEach, expect, test } from 'vitest'
import { mintToken } from '#core/access-token.ts'
import { fromMillis } from '#core/time.ts'
import { startWorker, type LocalWorker } from '../../infra/local/worker.ts'
import { archiveHour, dropHour } from '../support/archive-hours.ts'
import { fillHour } from '../support/market-hours.ts'
import { untilBlocked } from '../support/lock-waits.ts'
import { startSwitchProxy } from '../support/switch-proxy.ts'
import { workerBundle } from '../support/worker-bundle.ts'
import { addSymbol, startEdge, startTestGateway, TOKEN_SECRET } from './support.ts'

interface Point {
  readonly indexes: readonly string[]
  readonly blobs: readonly string[]
  readonly doubles: readonly number[]
}
interface Taken {
  readonly points: readonly Point[]
  readonly lines: readonly Readonly<Record<string, unknown>>[]
}

/** Around the worker: Miniflare's datasets keep nothing, so this one does. */
const RECORDER = `
import worker from './worker.js'
const [points, lines] = [[], []]
let is_broken = false
for (const level of ['warn', 'error']) console[level] = (text) => lines.push(JSON.parse(text))
const ANALYTICS = {
  writeDataPoint(point) {
    if (is_broken) throw new Error('The dataset is broken.')
    points.push(structuredClone(point))
  },
}
export default {
  fetch(request, env, context) {
    const { pathname } = new URL(request.url)
    if (pathname === '/test/break') is_broken = true
    if (!pathname.startsWith('/test/')) return worker.fetch(request, { ...env, ANALYTICS }, context)
    return Response.json({ points: points.splice(0), lines: lines.splice(0) })
  },
}`

const HOUR = '2024-08-07T22:00:00Z'
const SLOW_MS = 400
const edge = await startEdge()
const proxy = await startSwitchProxy(edge.bindings['DATABASE_URL']!)
const gateway = await startTestGateway(proxy.url)
const dir = await mkdtemp(join(tmpdir(), 'booktape-telemetry-'))
const workers: LocalWorker[] = []
let worker: LocalWorker
let token: string

beforeAll(async () => {
  const symbol_id = await addSymbol(edge.pool, 'BTCUSDT')
  await fillHour(edge.pool, symbol_id, HOUR, 20)
  await dropHour(edge.pool, await archiveHour(edge.pool, edge.store, 'trades', HOUR))
  await fillHour(edge.pool, symbol_id, '2024-08-07T23:00:00Z', 20)
  worker = await startRecorded({})
  token = (await mintToken(TOKEN_SECRET, ['read'], 1, fromMillis(Date.now()))).text
})
beforeEach(async () => void (await taken()))
afterAll(async () => {
  for (const one of workers) await one.stop()
  await gateway.stop()
  await rm(dir, { recursive: true })
})

async function startRecorded(bindings: Readonly<Record<string, string>>): Promise<LocalWorker> {
  const bundle = await workerBundle()
  const script_path = join(dir, 'recorded.js')
  await build({
    stdin: { contents: RECORDER, resolveDir: dirname(bundle.script_path) },
    outfile: script_path,
    bundle: true,
    format: 'esm',
    external: ['node:*', 'cloudflare:*'],
    logLevel: 'error',
  })
  const started = await startWorker({
    port: 0,
    bundle: { ...bundle, script_path },
    bindings: {
      ...edge.bindings,
      DATABASE_URL: proxy.url,
      GATEWAY_URL: gateway.url,
      PUBLIC_READ: 'read',
      SLOW_REQUEST_MS: String(SLOW_MS),
      ...bindings,
    },
    persist_dir: join(dir, `state-${workers.length}`),
    rate_limits: { token: 1, address: 1_000_000 },
  })
  workers.push(started)
  return started
}

async function taken(of = worker): Promise<Taken> {
  return (await (await fetch(`${of.url}/test/taken`)).json()) as Taken
}

/** The blobs of the only point that this request wrote, its doubles, and the lines. */
async function measure(path: string, init?: RequestInit) {
  const response = await fetch(worker.url + path, init)
  const { byteLength } = await response.arrayBuffer()
  const { points, lines } = await taken()
  expect(points).toHaveLength(1)
  const [{ indexes, blobs, doubles }] = points as [Point]
  const [duration_ms, bytes] = doubles as [number, number]
  expect(indexes).toEqual([blobs[0]])
  expect(duration_ms).toBeGreaterThanOrEqual(0)
  expect(JSON.stringify({ points, lines })).not.toMatch(/BTCUSDT|NOPE|bt1\.|p%40ss/)
  return { blobs, bytes, lines: lines.filter(isOfFault), byteLength, status: response.status }
}

/** A slow machine makes any request slow; that a slow one is logged has its own test. */
const isOfFault = (line: Taken['lines'][number]): boolean => line['msg'] !== SLOW_MSG
const SLOW_MSG = 'The request was slow.'
const TRADES = '/v1/trades/{symbol}'

test('a miss and a cached read of an archived hour, of a hot one, and of both', async () => {
  const read = (from: string, to: string) =>
    measure(`/v1/trades/BTCUSDT?from=2024-08-07T${from}Z&to=2024-08-07T${to}Z`)
  const cold = await read('22:00:00', '23:00:00')
  expect(cold.blobs).toEqual([TRADES, 'GET', '200', 'none', 'miss', 'cold'])
  expect(cold.bytes).toBe(cold.byteLength)
  expect(cold.bytes).toBeGreaterThan(1_000)
  const again = await read('22:00:00', '23:00:00')
  expect(again.blobs).toEqual([TRADES, 'GET', '200', 'none', 'hit', 'none'])
  expect(again.bytes).toBe(cold.bytes)
  expect((await read('23:00:00', '23:59:59')).blobs.slice(4)).toEqual(['miss', 'hot'])
  expect((await read('22:00:00', '23:59:59')).blobs.slice(4)).toEqual(['miss', 'both'])
  expect(cold.lines).toEqual([])
})

test.each([
  ['/v1/trades/BTCUSDT?limit=x', {}, [TRADES, 'GET', '400', 'bad_parameter', 'miss', 'none']],
  [
    '/v1/quotes/NOPEUSDT/latest',
    {},
    ['/v1/quotes/{symbol}/latest', 'GET', '404', 'unknown_symbol', 'miss', 'none'],
  ],
  ['/v1/NOPE', {}, ['none', 'GET', '404', 'unknown_path', 'miss', 'none']],
  ['/NOPE', {}, ['none', 'GET', '404', 'unknown_path', 'none', 'none']],
  [
    '/v1/symbols',
    { method: 'POST', body: '{}' },
    ['/v1/symbols', 'POST', '405', 'method_not_allowed', 'none', 'none'],
  ],
  [
    '/v1/symbols',
    { method: 'PROPFIND' },
    ['/v1/symbols', 'other', '405', 'method_not_allowed', 'none', 'none'],
  ],
  ['/v1/jobs/1', {}, ['/v1/jobs/{id}', 'GET', '401', 'token_missing', 'none', 'none']],
] as const)('%s is written with its code, and not logged', async (path, init, blobs) => {
  const seen = await measure(path, init)
  expect(seen.blobs).toEqual(blobs)
  expect([seen.bytes, seen.lines]).toEqual([0, []])
})

test('a token without the scope, and one beyond its rate: only that is logged', async () => {
  const headers = { authorization: `Bearer ${token}` }
  const refused = ['/v1/jobs', 'GET', '403', 'scope_missing', 'none', 'none']
  const first = await measure('/v1/jobs', { headers })
  expect([first.blobs, first.lines]).toEqual([refused, []])
  // The window of ten seconds may end during the loop.
  let last = first
  for (let i = 0; i < 40 && last.status !== 429; i++) last = await measure('/v1/jobs', { headers })
  expect(last.blobs).toEqual(['/v1/jobs', 'GET', '429', 'too_many_requests', 'none', 'none'])
  expect(last.lines).toEqual([
    expect.objectContaining({
      level: 'warn',
      program: 'edge-api',
      route: '/v1/jobs',
      status: 429,
      code: 'too_many_requests',
    }),
  ])
})

test('a call of /mcp is one request, whatever its tools read', async () => {
  const call = { name: 'list_symbols', arguments: {} }
  const { blobs } = await measure('/mcp', {
    method: 'POST',
    headers: {
      'content-type': 'application/json',
      accept: 'application/json, text/event-stream',
    },
    body: JSON.stringify({ jsonrpc: '2.0', id: 1, method: 'tools/call', params: call }),
  })
  expect(blobs).toEqual(['/mcp', 'POST', '200', 'none', 'none', 'none'])
})

test('a request that waits for Postgres is logged as slow', async () => {
  const client = await edge.pool.connect()
  try {
    await client.query('begin; lock table marketdata.gaps in access exclusive mode')
    const answer = fetch(`${worker.url}/v1/gaps`)
    await untilBlocked(edge.pool)
    // Not a wait for anything: this is what makes it slow.
    await sleep(SLOW_MS)
    await client.query('rollback')
    expect((await answer).status).toBe(200)
  } finally {
    client.release()
  }
  const { points, lines } = await taken()
  expect(points[0]!.doubles[0]).toBeGreaterThanOrEqual(SLOW_MS)
  expect(lines).toEqual([
    expect.objectContaining({ level: 'warn', msg: SLOW_MSG, route: '/v1/gaps', status: 200 }),
  ])
  expect(lines[0]!['duration_ms']).toBe(points[0]!.doubles[0])
})

test('with Postgres away every caller is a point and one line, also those that shared a read', async () => {
  proxy.pointTo(undefined)
  const path = `${worker.url}/v1/coverage/BTCUSDT`
  const answers = await Promise.all([fetch(path), fetch(path), fetch(path)])
  expect(answers.map(({ status }) => status)).toEqual([503, 503, 503])
  const { points, lines } = await taken()
  const seen = points.map(({ blobs }) => blobs.slice(0, 4).join(' '))
  const failed = '/v1/coverage/{symbol} GET 503 database_unreachable'
  expect(seen).toEqual([failed, failed, failed])
  expect(lines).toHaveLength(3)
  for (const line of lines) {
    expect(line).toMatchObject({
      level: 'error',
      program: 'edge-api',
      error: expect.stringContaining('database'),
      route: '/v1/coverage/{symbol}',
      status: 503,
      code: 'database_unreachable',
    })
  }
  expect(JSON.stringify([points, lines])).not.toMatch(/BTCUSDT|p%40ss|127\.0\.0\.1/)
  proxy.pointTo(edge.bindings['DATABASE_URL']!)
})

test('a wrong setting is a point and a line', async () => {
  const broken = await startRecorded({ S3_BUCKET: '' })
  expect((await fetch(`${broken.url}/v1/symbols`)).status).toBe(500)
  const { points, lines } = await taken(broken)
  expect(points.map(({ blobs }) => blobs)).toEqual([
    ['none', 'other', '500', 'bad_config', 'none', 'none'],
  ])
  expect(lines).toEqual([expect.objectContaining({ level: 'error', code: 'bad_config' })])
})

test('a dataset that throws fails no request, and is reported once', async () => {
  await fetch(`${worker.url}/test/break`)
  for (let i = 0; i < 3; i++) expect((await fetch(worker.url)).status).toBe(200)
  const { points, lines } = await taken()
  expect(points).toEqual([])
  expect(lines.filter(isOfFault)).toEqual([
    {
      level: 'error',
      program: 'edge-api',
      error: expect.stringContaining('ANALYTICS must be an Analytics Engine dataset'),
    },
  ])
})
