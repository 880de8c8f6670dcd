/**
 * What the edge API does in every runtime: each route once, downloads, caching, errors, an archived
 * hour in every format, the docs page in a browser.
 */
import { mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { tableFromIPC } from 'apache-arrow'
import { afterAll, beforeAll, expect, test } from 'vitest'
import type { Pool } from '#core/node/pool.ts'
import { archiveHour, dropHour } from '../support/archive-hours.ts'
import { datasetBytes } from '../support/dataset-file.ts'
import { fillHour } from '../support/market-hours.ts'
import { startClusterEngine } from './cluster-engine.ts'
import { readContract, type Ask, type Contract } from './contract.ts'
import { startGatewayProxy } from './gateway-proxy.ts'
import {
  addQuotes,
  addReport,
  addSymbol,
  addTrades,
  publish,
  setLatest,
  sha256,
  startEdge,
} from './support.ts'
import { has_chromium, launchChromium } from '../support/chromium.ts'

export interface Runtime {
  readonly url: string
  stop(): Promise<void>
}

/** Declares the tests. `start` gets the bindings, and a folder that is deleted at the end. */
export async function testRuntime(
  start: (bindings: Readonly<Record<string, string>>, dir: string) => Promise<Runtime>,
  { has_browser = true }: { readonly has_browser?: boolean } = {},
): Promise<void> {
  const edge = await startEdge({ own_store: true })
  const dir = await mkdtemp(join(tmpdir(), 'booktape-runtime-'))
  const counted = await startGatewayProxy(edge.bindings['GATEWAY_URL']!)
  let worker: Runtime
  let contract: Contract
  const ask: Ask = (path, init) => fetch(`${worker.url}${path}`, { redirect: 'manual', ...init })

  beforeAll(async () => {
    worker = await start(
      { ...edge.bindings, GATEWAY_URL: counted.url, ...(await startClusterEngine(edge)).bindings },
      dir,
    )
    contract = await readContract(ask)
    const id = await addSymbol(edge.pool, 'BTCUSDT')
    const now = new Date().toISOString()
    await addQuotes(edge.pool, id, [[now, 1, 61800.2, 61800.3, 0.5, 12.041]])
    await addTrades(edge.pool, id, [[now, 1, 61800.2, 0.005]])
    await addBook(edge.pool, id, now)
    await addReport(edge.pool, now)
    await edge.pool.query(
      `insert into marketdata.prices (ticker, price, "timestamp", ts_ingest)
     values ('btc_usd', 61795.12, $1, $1)`,
      [now],
    )
    const bytes = await datasetBytes(['BTCUSDT'], [Date.parse('2024-08-07') * 1_000], ['ofi'])
    await setLatest(edge.store, await publish(edge.store, 'features_1s', '2024-08-07', { bytes }))
    await edge.pool.query(
      `insert into marketdata.job_runs (job, job_window, status, attempt, started_at)
     values ('archive', '2024-08-07T22', 'running', 1, $1)`,
      [now],
    )
  })
  afterAll(async () => {
    await worker?.stop()
    await counted.stop()
    await rm(dir, { recursive: true })
  })

  /** Ages change over time, and so may the length of the answer. */
  const VARIES = /^\/health$|^\/v1\/(quotes\/(.*\/)?latest|book\/|validation)/

  test('every route of the OpenAPI document answers as it says', async () => {
    const parameters: Record<string, string> = {
      symbol: 'BTCUSDT',
      name: 'features_1s',
      date: '2024-08-07',
      file: 'features_1s.parquet',
      id: '1',
      ticker: 'btc_usd',
      ts: new Date().toISOString(),
      q: 'btc',
    }
    const statuses: Record<string, number> = {}
    for (const [path, { get }] of Object.entries(contract.paths)) {
      const required = (get.parameters ?? []).filter((one) => one.in === 'query' && one.required)
      const query = required.map(({ name }) => `${name}=${parameters[name]}`).join('&')
      const concrete = `${path.replaceAll(/\{(\w+)\}/g, (_, name: string) => parameters[name]!)}?${query}`
      const response = await ask(concrete)
      statuses[path] = response.status
      const head = await ask(concrete, { method: 'HEAD' })
      const { byteLength } = await response.clone().arrayBuffer()
      const length_of_get = response.status === 302 ? null : String(byteLength)
      expect([path, head.headers.get('content-length')]).toEqual([
        path,
        VARIES.test(path) ? expect.stringMatching(/^\d+$/) : length_of_get,
      ])
      await contract.check(concrete, response)
    }
    expect(Object.entries(statuses).filter(([, status]) => status !== 200)).toEqual([
      ['/v1/datasets/{name}/yesterday.parquet', 302],
      ['/v1/datasets/{name}/yesterday.arrow', 302],
      ['/v1/datasets/{name}/{date}/{file}', 302],
    ])
  })

  test('the newest quote has the decimals of the exchange', async () => {
    const quote = (await (await ask('/v1/quotes/BTCUSDT/latest')).json()) as Record<string, unknown>
    expect(quote).toMatchObject({
      best_bid: '61800.20',
      ask_qty: '12.041',
      spread: '0.10',
      mid: '61800.250',
    })
  })

  test("yesterday's file, fetched through the redirect, has the checksum of its manifest", async () => {
    const manifest = (await (await ask('/v1/datasets/features_1s/2024-08-07')).json()) as {
      files: { name: string; sha256: string }[]
    }
    const response = await ask('/v1/datasets/features_1s/yesterday.parquet', { redirect: 'follow' })
    const bytes = new Uint8Array(await response.arrayBuffer())
    expect(sha256(bytes)).toBe(
      manifest.files.find((file) => file.name === 'features_1s.parquet')!.sha256,
    )
  })

  test('a wrong parameter, path and method are problem documents here too', async () => {
    const found = await Promise.all([
      ask('/v1/quotes/BTCUSDT?limit=x'),
      ask('/nowhere'),
      ask('/v1/symbols', { method: 'POST', body: '{}' }),
    ])
    expect(found.map((r) => [r.status, r.headers.get('content-type')])).toEqual([
      [400, 'application/problem+json'],
      [404, 'application/problem+json'],
      [405, 'application/problem+json'],
    ])
  })

  test('the index says what is recorded, and sends a browser to /docs', async () => {
    const index = (await (await ask('/')).json()) as Record<string, unknown>
    expect(index['exchanges']).toEqual([
      { exchange: 'binance-futures', symbol_count: 1, active_count: 1 },
    ])
    expect(index['datasets']).toMatchObject([{ name: 'features_1s', last_date: '2024-08-07' }])
    const hour_ms = 3_600_000
    const first = Date.parse(String(index['first_hour']))
    expect([first % hour_ms, Math.floor((Date.now() - first) / hour_ms) <= 1]).toEqual([0, true])
    expect(Date.now() - Date.parse(String(index['newest_quote']))).toBeLessThan(600_000)
    const page = await ask('/', { headers: { accept: 'text/html,*/*;q=0.8' } })
    expect([page.status, page.headers.get('location')]).toEqual([302, '/docs'])
  })

  test('many concurrent callers are answered with one or two queries', async () => {
    await new Promise((resolve) => setTimeout(resolve, 1_100))
    const before = counted.count('/')
    const began = performance.now()
    const answers = await Promise.all(
      Array.from({ length: 60 }, () => ask('/v1/quotes/BTCUSDT/latest')),
    )
    expect(new Set(answers.map((answer) => answer.status))).toEqual(new Set([200]))
    // An answer is cached for a second, so a slow machine makes more queries.
    const seconds = Math.floor((performance.now() - began) / 1_000)
    expect(counted.count('/') - before).toBeLessThanOrEqual(2 + seconds)
  })

  test('an archived hour is read in the worker, in every format', async () => {
    const id = await addSymbol(edge.pool, 'COLDUSDT')
    const hour = '2024-08-07T22:00:00Z'
    await fillHour(edge.pool, id, hour, 3_000)
    const range = 'from=2024-08-07T22:00:00Z&to=2024-08-07T23:00:00Z&limit=4000'
    const path = `/v1/trades/COLDUSDT?${range}`
    const before = (await (await ask(`${path}&columns=ts_exchange,price,qty`)).json()) as {
      rows: object[]
    }
    await dropHour(edge.pool, await archiveHour(edge.pool, edge.store, 'trades', hour))
    const json = await ask(path)
    expect(json.headers.get('cache-control')).toBe('public, max-age=60')
    const { rows } = (await contract.check(path, json)) as { rows: Record<string, unknown>[] }
    expect(rows.map(({ ts_exchange, price, qty }) => ({ ts_exchange, price, qty }))).toEqual(
      before.rows,
    )
    const lines = (await (await ask(`${path}&format=ndjson`)).text()).trimEnd().split('\n')
    expect(lines.map((line) => JSON.parse(line) as unknown)).toEqual(rows)
    const csv = (await (await ask(path, { headers: { accept: 'text/csv' } })).text()).split('\r\n')
    expect([csv.length, csv[0]]).toEqual([rows.length + 2, Object.keys(rows[0]!).join(',')])
    const arrow = tableFromIPC(
      new Uint8Array(await (await ask(`${path}&format=arrow`)).arrayBuffer()),
    )
    expect([...arrow.getChild('price')!]).toEqual(rows.map((row) => Number(row['price'])))
    const known = await ask(path, { headers: { 'if-none-match': json.headers.get('etag')! } })
    expect(known.status).toBe(304)
  })

  test('the docs page and its assets come from here, under a strict policy', async () => {
    for (const path of [
      '/docs',
      '/docs/docs.js',
      '/docs/docs.css',
      '/docs/errors.json',
      '/docs/swagger-ui-bundle.js',
      '/docs/swagger-ui.css',
    ]) {
      const response = await ask(path)
      expect([path, response.status]).toEqual([path, 200])
      expect(response.headers.get('content-security-policy')).toContain(
        "default-src 'none'; script-src 'self'",
      )
      expect(response.headers.get('x-content-type-options')).toBe('nosniff')
      await response.body?.cancel()
    }
  })

  test('the chart page comes from here, under a strict policy, with its notice', async () => {
    const page = await ask('/chart')
    expect(page.headers.get('content-security-policy')).toMatch(
      /^default-src 'none'; script-src 'self'; style-src 'self' 'sha256-[^']+'; img-src 'self' data:/,
    )
    const [script] = /\/chart\/assets\/app-[0-9a-f]{12}\.js/.exec(await page.text())!
    const asset = await ask(script)
    expect([asset.status, asset.headers.get('cache-control')]).toEqual([
      200,
      'public, max-age=31536000, immutable',
    ])
    await asset.body?.cancel()
    expect(await (await ask('/chart/NOTICE.txt')).text()).toContain('TradingView')
  })

  // Needs a browser: `apt-get install chromium`. Without one this test is skipped.
  test.skipIf(!has_browser || !has_chromium)(
    'a browser shows every operation and asks no other host',
    async () => {
      const browser = await launchChromium()
      try {
        const page = await browser.newPage({ viewport: { width: 1200, height: 1400 } })
        const outside: string[] = []
        const complaints: string[] = []
        page.on('request', (r) => {
          if (!r.url().startsWith(worker.url) && !r.url().startsWith('data:')) outside.push(r.url())
        })
        page.on('console', (message) => {
          if (message.type() === 'error') complaints.push(message.text())
        })
        page.on('pageerror', (error) => complaints.push(error.message))
        await page.goto(`${worker.url}/docs`)
        const operation_count = Object.keys(contract.paths).length
        await expect.poll(() => page.locator('.opblock').count()).toBe(operation_count)
        await page.locator('#operations-market_data-latestQuote .opblock-summary-control').click()
        await page.getByRole('button', { name: 'Execute' }).click()
        await expect
          .poll(() => page.locator('.live-responses-table').textContent())
          .toContain('61800.20')
        expect(await page.locator('.errors-wrapper').count()).toBe(0)
        // What is recorded, the errors, and examples with answers of this server.
        await expect
          .poll(() => page.locator('#overview').textContent())
          .toMatch(/binance-futures: \d+ of \d+ symbols.*features_1s 2024-08-07/)
        expect(await page.locator('#error-rows tr').count()).toBeGreaterThan(40)
        await expect
          .poll(() => page.locator('.answer').first().textContent())
          .toMatch(/^200\n.*"best_bid": "61800.20"/s)
        expect(outside).toEqual([])
        expect(complaints).toEqual([])
      } finally {
        await browser.close()
      }
    },
  )

  test('archive data that was read is not fetched again, not even for another format', async () => {
    const path = '/v1/trades/COLDUSDT?from=2024-08-07T22:00:00Z&to=2024-08-07T23:00:00Z&limit=3999'
    await edge.stopStore()
    const response = await ask(`${path}&format=csv`)
    expect(response.status).toBe(200)
    expect((await response.text()).split('\r\n')).toHaveLength(3_002)
  })
}

async function addBook(pool: Pool, symbol_id: number, ts: string): Promise<void> {
  await pool.query("select marketdata.ensure_hour('depth_events', $1)", [ts])
  await pool.query(
    `insert into marketdata.depth_events
       (ts_exchange, ts_ingest, symbol_id, depth_kind, final_update_id, bids, asks)
     values ($1, $1, $2, 'snapshot', 1, '{{61800.2,0.5}}', '{{61800.3,12.041}}')`,
    [ts, symbol_id],
  )
}
