/**
 * The newest quote from the gateway's own path: its bytes there, and how workerd and Node answer
 * with them, with what does not have the path, and with many callers at once.
 */
import { mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { fromMillis } from '#core/time.ts'
import { composeApp } from '../../edge-api/compose.ts'
import { createMemoryCache } from '../../edge-api/node/memory-cache.ts'
import type { Gateway } from '../../edge-api/gateway/server.ts'
import { startWorkerd } from '../../infra/local/workerd/start.ts'
import { QUOTE_HEADER } from '../../edge-api/queries/gateway-quote.ts'
import { atFileEnd } from '../support/file-end.ts'
import { workerBundle } from '../support/worker-bundle.ts'
import { startGatewayProxy, type GatewayProxy } from './gateway-proxy.ts'
import { addQuotes, addSymbol, SECRET, startEdge, startTestGateway } from './support.ts'

const edge = await startEdge()
const { pool, bindings } = edge
const HOUR_MS = 3_600_000
const shown = { authorization: `Bearer ${SECRET}` }
let gateway: Gateway
let id: number

beforeAll(async () => {
  gateway = await startTestGateway(bindings['DATABASE_URL']!)
  id = await addSymbol(pool, 'BTCUSDT')
  await addQuote(id, 7)
})
afterAll(() => gateway.stop())

/** Of now. Only the current hour is asked, so near its end there is one for the next hour too. */
async function addQuote(symbol_id: number, update_id: number): Promise<void> {
  const now_ms = Date.now()
  const next_hour_ms = (Math.floor(now_ms / HOUR_MS) + 1) * HOUR_MS
  const times = next_hour_ms - now_ms < 120_000 ? [now_ms, next_hour_ms] : [now_ms]
  for (const ms of times) {
    const ts = new Date(ms).toISOString()
    await addQuotes(pool, symbol_id, [[ts, update_id, 61800.2, 61800.3, 0.5, 12.041]])
  }
}

function askGateway(
  query: Readonly<Record<string, string>> = {},
  { url = gateway.url, headers = shown } = {},
): Promise<Response> {
  const asked = new URLSearchParams({
    symbol_id: String(id),
    exchange: 'binance-futures',
    symbol: 'BTCUSDT',
    price_decimals: '2',
    qty_decimals: '3',
    ...query,
  })
  return fetch(`${url}/newest-quote?${asked}`, { headers })
}

/** Holds a lock that every reader of quotes waits for. */
async function lockQuotes(): Promise<() => Promise<void>> {
  const holder = await pool.connect()
  await holder.query('begin; lock table marketdata.book_ticker in access exclusive mode')
  return async () => {
    await holder.query('rollback')
    holder.release()
  }
}
async function waitingCount(): Promise<number> {
  const { rows } = await pool.query<{ n: number }>(
    `select count(*)::int as n from pg_stat_activity
     where wait_event_type = 'Lock' and datname = current_database()`,
  )
  return rows[0]!.n
}

describe('the gateway', () => {
  test('answers with the JSON of the API and its tag', async () => {
    const response = await askGateway({ max_age_s: '600' })
    expect([response.status, response.headers.get('content-type')]).toEqual([
      200,
      'application/json',
    ])
    expect(response.headers.get('etag')).toMatch(/^"[0-9a-f]{32}"$/)
    const { age_ms, ...quote } = (await response.json()) as Record<string, unknown>
    expect(age_ms).toBeGreaterThanOrEqual(0)
    expect(quote).toMatchObject({
      exchange: 'binance-futures',
      symbol: 'BTCUSDT',
      max_age_s: 600,
      update_id: 7,
      best_bid: '61800.20',
      ask_qty: '12.041',
      mid: '61800.250',
    })
  })

  test('asked for it in the head, it answers with the same JSON as a header', async () => {
    const response = await askGateway({ in: 'head' })
    expect([response.status, await response.text()]).toEqual([200, ''])
    expect(response.headers.get('etag')).toMatch(/^"[0-9a-f]{32}"$/)
    const in_body = await (await askGateway()).text()
    const withoutAge = (text: string): string => text.replace(/"age_ms":\d+/, '"age_ms":0')
    expect(withoutAge(response.headers.get(QUOTE_HEADER)!)).toBe(withoutAge(in_body))
  })

  test('a quote with letters that a header cannot carry stays in the body', async () => {
    const response = await askGateway({ in: 'head', symbol: '币安人生USDT' })
    expect(response.headers.has(QUOTE_HEADER)).toBe(false)
    expect(await response.json()).toMatchObject({ symbol: '币安人生USDT', update_id: 7 })
  })

  test('has none of another symbol', async () => {
    const response = await askGateway({ symbol_id: String(id + 1) })
    expect([response.status, await response.text()]).toEqual([204, ''])
  })

  for (const [name, value] of [
    ['symbol_id', '1 or true'],
    ['symbol_id', '0'],
    ['symbol_id', '9007199254740993'],
    ['exchange', 'nowhere'],
    ['symbol', "x'; drop table marketdata.symbols"],
    ['price_decimals', '-1'],
    ['qty_decimals', '101'],
    ['max_age_s', '86401'],
    ['max_age_s', ''],
    ['in', 'body'],
  ] as const) {
    test(`${name}=${value} is a 400 that names it`, async () => {
      const response = await askGateway({ [name]: value })
      const { message } = (await response.json()) as { message: string }
      expect([response.status, message]).toEqual([400, expect.stringContaining(name)])
    })
  }

  test('a parameter given twice, no parameters, and a wrong secret are refused', async () => {
    const path = `${gateway.url}/newest-quote`
    const twice = `${path}?symbol_id=1&symbol_id=2&exchange=deribit&symbol=A`
    expect((await fetch(twice, { headers: shown })).status).toBe(400)
    expect((await fetch(path, { headers: shown })).status).toBe(400)
    expect((await askGateway({}, { headers: { authorization: 'Bearer wrong' } })).status).toBe(401)
    expect((await fetch(path, { method: 'POST', headers: shown })).status).toBe(404)
  })

  test('equal questions share one statement', async () => {
    const unlock = await lockQuotes()
    const answers = Array.from({ length: 20 }, async () =>
      (await askGateway({ max_age_s: '900' })).text(),
    )
    await expect.poll(() => gateway.metrics.text()).toContain('gateway_requests_running 20\n')
    await expect.poll(waitingCount).toBe(1)
    await unlock()
    const bodies = new Set(await Promise.all(answers))
    expect(bodies.size).toBe(1)
    expect([...bodies][0]).toContain('"max_age_s":900')
    await expect.poll(() => gateway.metrics.text()).toContain('gateway_requests_running 0\n')
  })

  test('its statement has the limit of all, and its connection serves again', async () => {
    const { DATABASE_URL } = bindings
    const hasty = await startTestGateway(DATABASE_URL!, {
      STATEMENT_TIMEOUT_MS: '300',
      POOL_MAX: '1',
    })
    const unlock = await lockQuotes()
    const late = await askGateway({}, { url: hasty.url, headers: shown })
    expect([late.status, await late.json()]).toMatchObject([400, { code: '57014' }])
    expect(await waitingCount()).toBe(0)
    await unlock()
    expect((await askGateway({}, { url: hasty.url, headers: shown })).status).toBe(200)
    const { rows } = await pool.query(
      `select state from pg_stat_activity
       where application_name = 'booktape-gateway' and datname = current_database()
         and state like 'idle in transaction%'`,
    )
    expect(rows).toEqual([])
    await hasty.stop()
  })
})

interface Started {
  readonly ask: (path: string) => Promise<Response>
  readonly proxy: GatewayProxy
}

async function startProxy(instead?: Parameters<typeof startGatewayProxy>[1]) {
  const proxy = await startGatewayProxy(bindings['GATEWAY_URL']!, instead)
  atFileEnd(() => proxy.stop())
  return proxy
}

async function inWorkerd(instead?: Parameters<typeof startGatewayProxy>[1]): Promise<Started> {
  const proxy = await startProxy(instead)
  const dir = await mkdtemp(join(tmpdir(), 'booktape-quote-'))
  const server = await startWorkerd({
    port: 0,
    bundle: await workerBundle(),
    bindings: { ...bindings, GATEWAY_URL: proxy.url },
    dir,
    revoked_file: join(dir, 'revoked-tokens'),
  })
  atFileEnd(async () => {
    await server.stop()
    await rm(dir, { recursive: true })
  })
  return { ask: (path) => fetch(server.url + path), proxy }
}

/** As edge-api/node composes it. */
async function inNode(instead?: Parameters<typeof startGatewayProxy>[1]): Promise<Started> {
  const proxy = await startProxy(instead)
  const app = composeApp(
    { ...bindings, GATEWAY_URL: proxy.url },
    {
      now: () => fromMillis(Date.now()),
      report: () => undefined,
      cache: createMemoryCache(Date.now),
    },
  )
  const context = {
    waitUntil: () => undefined,
    passThroughOnException: () => undefined,
    props: {},
  }
  return {
    ask: async (path) => app.fetch(new Request(`http://edge${path}`), {}, context),
    proxy,
  }
}

const PATH = '/v1/quotes/BTCUSDT/latest'
/** After this the isolate knows the instrument and the headers of the app's answers. */
async function warm({ ask }: Started): Promise<void> {
  expect((await ask(`${PATH}?max_age_s=5000`)).status).toBe(200)
}

async function quoteFrom({ ask }: Started, query: string): Promise<Record<string, unknown>> {
  const response = await ask(PATH + query)
  expect(response.status).toBe(200)
  const { age_ms: _, ...quote } = (await response.json()) as Record<string, unknown>
  return quote
}

describe.each([
  ['workerd', inWorkerd],
  ['Node', inNode],
] as const)('in %s', (_, start) => {
  test('a question is one request to the gateway, and a crowd with the same one is two', async () => {
    const started = await start()
    await warm(started)
    const { proxy } = started
    const sql_count = proxy.count('/sql')
    expect(await quoteFrom(started, '?max_age_s=5001')).toMatchObject({ update_id: 7 })
    expect([proxy.count('/newest-quote'), proxy.count('/sql')]).toEqual([1, sql_count])
    const began_ms = performance.now()
    const crowd = await Promise.all(
      Array.from({ length: 300 }, () => quoteFrom(started, '?max_age_s=5002')),
    )
    expect(new Set(crowd.map((quote) => JSON.stringify(quote))).size).toBe(1)
    // Kept for a second.
    const seconds = Math.floor((performance.now() - began_ms) / 1_000)
    expect(proxy.count('/newest-quote') - 1).toBeLessThanOrEqual(2 + seconds)
    expect(proxy.count('/sql')).toBe(sql_count)
  })

  test.each([
    ['a gateway of an earlier version', 404, 'application/json', '{"message":"Unknown path."}'],
    ['a proxy with a page for every path', 200, 'text/html', '<h1>Hello</h1>'],
  ])('%s is asked for the statement instead', async (__, status, type, page) => {
    const started = await start((path, response) => {
      if (!path.startsWith('/newest-quote')) return false
      response.writeHead(status, { 'content-type': type }).end(page)
      return true
    })
    await warm(started)
    for (const n of [5_001, 5_002, 5_003]) {
      expect(await quoteFrom(started, `?max_age_s=${n}`)).toMatchObject({
        update_id: 7,
        max_age_s: n,
        best_bid: '61800.20',
      })
    }
    expect(started.proxy.count('/newest-quote')).toBe(1)
  })

  test('the bytes of a gateway that knows only the body are passed on', async () => {
    const [body, etag] = ['{"symbol":"BTCUSDT","update_id":8}', `"${'0123456789abcdef'.repeat(2)}"`]
    const started = await start((path, response) => {
      if (!path.startsWith('/newest-quote')) return false
      response.writeHead(200, { 'content-type': 'application/json', etag }).end(body)
      return true
    })
    await warm(started)
    // The second is kept for others who ask.
    for (let n = 0; n < 2; n++) {
      const response = await started.ask(`${PATH}?max_age_s=5001`)
      expect([await response.text(), response.headers.get('etag')]).toEqual([body, etag])
    }
  })

  test('if the gateway disconnects, the answer is a 503 until it is back', async () => {
    let is_away = false
    const started = await start((__, response) => {
      if (is_away) response.socket!.destroy()
      return is_away
    })
    await warm(started)
    is_away = true
    const refused = await started.ask(`${PATH}?max_age_s=5001`)
    expect([refused.status, refused.headers.get('retry-after')]).toEqual([503, '5'])
    // Neither path is asked again while it is known to be away.
    const count = started.proxy.count('/')
    expect((await started.ask(`${PATH}?max_age_s=5002`)).status).toBe(503)
    expect(started.proxy.count('/')).toBe(count)
    is_away = false
    await expect
      .poll(async () => (await started.ask(`${PATH}?max_age_s=5003`)).status, {
        interval: 300,
        timeout: 9_000,
      })
      .toBe(200)
  })
})

test('a gateway that is silent counts as away after seven seconds', async () => {
  let is_silent = false
  const started = await inWorkerd(() => is_silent)
  await warm(started)
  is_silent = true
  const began_ms = performance.now()
  const refused = await started.ask(`${PATH}?max_age_s=5001`)
  expect([refused.status, refused.headers.get('retry-after')]).toEqual([503, '5'])
  expect(performance.now() - began_ms).toBeGreaterThan(6_900)
  const count = started.proxy.count('/')
  expect((await started.ask(`${PATH}?max_age_s=5002`)).status).toBe(503)
  expect(started.proxy.count('/')).toBe(count)
})
