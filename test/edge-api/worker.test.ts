/** The bundle in real workerd: every route once, downloads, the docs page in a browser. */
import { existsSync } from 'node:fs'
import { mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { chromium } from 'playwright-core'
import { afterAll, beforeAll, expect, test } from 'vitest'
import {
  buildWorker,
  startWorker,
  type LocalWorker,
  type WorkerBundle,
} from '../../infra/local/worker.ts'
import { readContract, type Ask, type Contract } from './contract.ts'
import {
  addQuotes,
  addSymbol,
  addTrades,
  publish,
  setLatest,
  sha256,
  startEdge,
} from './support.ts'

const CHROMIUM = '/usr/bin/chromium'

const edge = await startEdge()
const dir = await mkdtemp(join(tmpdir(), 'booktape-worker-'))
let bundle: WorkerBundle
let worker: LocalWorker
let contract: Contract
const ask: Ask = (path, init) => fetch(`${worker.url}${path}`, { redirect: 'manual', ...init })

beforeAll(async () => {
  bundle = await buildWorker(join(dir, 'bundle'))
  worker = await startWorker({
    port: 0,
    bundle,
    bindings: edge.bindings,
    persist_dir: join(dir, 'state'),
  })
  contract = await readContract(ask)
  const id = await addSymbol(edge.pool, 'BTCUSDT')
  const now = new Date().toISOString()
  await addQuotes(edge.pool, id, [[now, 1, 61800.2, 61800.3, 0.5, 12.041]])
  await addTrades(edge.pool, id, [[now, 1, 61800.2, 0.005]])
  await setLatest(edge.store, await publish(edge.store, 'features_1s', '2024-08-07'))
})
afterAll(async () => {
  await worker?.stop()
  await rm(dir, { recursive: true })
})

test('the bundle stays below 200 KiB compressed', () => {
  expect(bundle.gzip_bytes).toBeLessThan(200 * 1024)
})

test('it is not built again while its sources are the same', async () => {
  const started = performance.now()
  expect(await buildWorker(join(dir, 'bundle'))).toEqual(bundle)
  expect(performance.now() - started).toBeLessThan(1_000)
})

test('every route of the OpenAPI document answers as it says', async () => {
  const parameters: Record<string, string> = {
    symbol: 'BTCUSDT',
    name: 'features_1s',
    date: '2024-08-07',
    file: 'features_1s.parquet',
  }
  const statuses: Record<string, number> = {}
  for (const path of Object.keys(contract.paths)) {
    const concrete = path.replaceAll(/\{(\w+)\}/g, (_, name: string) => parameters[name]!)
    const response = await ask(concrete)
    statuses[path] = response.status
    await contract.check(concrete, response)
  }
  expect(Object.entries(statuses).filter(([, status]) => status !== 200)).toEqual([
    ['/v1/datasets/{name}/yesterday.parquet', 302],
    ['/v1/datasets/{name}/yesterday.arrow', 302],
    ['/v1/datasets/{name}/{date}/{file}', 302],
  ])
})

test('the newest quote comes with the decimals of the exchange', async () => {
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

test('many callers at once are all answered', async () => {
  const answers = await Promise.all(
    Array.from({ length: 60 }, () => ask('/v1/quotes/BTCUSDT/latest')),
  )
  expect(new Set(answers.map((answer) => answer.status))).toEqual(new Set([200]))
})

test('the docs page and its assets come from here, under a strict policy', async () => {
  for (const path of [
    '/docs',
    '/docs/docs.js',
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

// Needs a browser: `apt-get install chromium`. Without one this test is skipped.
test.skipIf(!existsSync(CHROMIUM))(
  'a browser shows every operation and asks no other host',
  async () => {
    const browser = await chromium.launch({
      executablePath: CHROMIUM,
      args: [
        '--no-sandbox',
        '--disable-gpu',
        '--disable-quic',
        '--no-first-run',
        '--disable-background-networking',
      ],
    })
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
      await expect
        .poll(() => page.locator('.opblock').count(), { timeout: 15_000 })
        .toBe(operation_count)
      await page.locator('#operations-market_data-latestQuote .opblock-summary-control').click()
      await page.getByRole('button', { name: 'Try it out' }).click()
      await page.getByRole('button', { name: 'Execute' }).click()
      await expect
        .poll(() => page.locator('.live-responses-table').textContent())
        .toContain('61800.20')
      expect(await page.locator('.errors-wrapper').count()).toBe(0)
      expect(outside).toEqual([])
      expect(complaints).toEqual([])
    } finally {
      await browser.close()
    }
  },
)
