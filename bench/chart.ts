/**
 * Measures the chart page in Chromium, with software rendering: a day of scroll-back over trades at
 * random prices, with candles and with footprints, as the time from the request of a page to its
 * last byte and the part of it that the server takes, and the time to show what came; then the time
 * of a frame with 20,000 visible cells, moved by half a bar between frames. With FEEDS_DIR the
 * trades are those of the BTC recording, repeated over the day.
 *
 *   npm run bench:chart
 */
import { join } from 'node:path'
import { chromium, type Page } from 'playwright-core'
import { silentLogger } from '#core/node/log.ts'
import { DAY_US, fromMillis, hourStart, micros, toIso } from '#core/time.ts'
import { parseConfig } from '../edge-api/gateway/config.ts'
import { startGateway } from '../edge-api/gateway/server.ts'
import { NODE_ARGS } from '../infra/local/child.ts'
import { buildWorker } from '../infra/local/worker.ts'
import { startWorkerd } from '../infra/local/workerd/start.ts'
import { runRollups } from '../jobs/rollups/run-rollups.ts'
import { fillDay, recorded, walk } from './chart/day.ts'
import { startProgram } from './ingest/recording.ts'
import { quantile } from './quantile.ts'
import { type Services, withServices } from './services.ts'
import { sizeOfClusters } from './clusters/stored.ts'

const SECRET = 'a secret of the benchmark, and of no other'
const RECORDING = 'binance-usdm-btcusdt-20240808/feed.ndjson.gz'
const CELLS = { bars: 200, per_bar: 100 }
const FRAMES = 120

const from = micros(hourStart(fromMillis(Date.now())) - DAY_US)
const feeds_dir = process.env['FEEDS_DIR']
await withServices(async (services) => {
  const { pool } = services
  await fillDay(pool, 'WALKUSDT', from, walk())
  if (feeds_dir !== undefined) {
    await fillDay(pool, 'BTCUSDT', from, recorded(join(feeds_dir, RECORDING)))
  }
  const { signal } = new AbortController()
  await runRollups({ pool, log: silentLogger, now: Date.now, signal })
  // As after a run of the rollups: trades of the day are final.
  await pool.query("select marketdata.raise_invalidation_threshold('trades', $1)", [
    toIso(micros(from + DAY_US)),
  ])
  await pool.query('vacuum analyze')
  await measure('random prices', services, 'WALKUSDT')
  if (feeds_dir === undefined) return print('FEEDS_DIR is not set: not over the BTC recording.')
  await measure('the BTC recording', services, 'BTCUSDT')
})

async function measure(title: string, services: Services, symbol: string): Promise<void> {
  const { pool, dir, database_url, store_config } = services
  const gateway_env = { PORT: '0', DATABASE_URL: database_url, GATEWAY_SECRET: SECRET }
  const gateway = await startGateway(parseConfig(gateway_env), silentLogger)
  const engine = startProgram<{ readonly type: 'ready'; readonly url: string }>(
    '../../jobs/clusters/main.ts',
    {
      DATABASE_URL: database_url,
      S3_ENDPOINT: store_config.endpoint,
      S3_BUCKET: store_config.bucket,
      S3_REGION: store_config.region,
      S3_ACCESS_KEY_ID: store_config.access_key_id,
      S3_SECRET_ACCESS_KEY: store_config.secret_access_key,
      CLUSTERS_PORT: '0',
      CLUSTERS_SECRET: SECRET,
      LOG_LEVEL: 'warn',
    },
    NODE_ARGS,
  )
  const { url: clusters_url } = await engine.message('ready')
  const worker = await startWorkerd({
    port: 0,
    bundle: await buildWorker(join(dir, 'bundle')),
    dir: join(dir, `worker-${symbol}`),
    revoked_file: join(dir, 'revoked-tokens'),
    bindings: {
      DATABASE_URL: database_url,
      GATEWAY_URL: gateway.url,
      GATEWAY_SECRET: SECRET,
      CLUSTERS_URL: clusters_url,
      CLUSTERS_SECRET: SECRET,
      S3_ENDPOINT: store_config.endpoint,
      S3_BUCKET: store_config.bucket,
      S3_REGION: store_config.region,
      S3_ACCESS_KEY_ID: store_config.access_key_id,
      S3_SECRET_ACCESS_KEY: store_config.secret_access_key,
      TOKEN_SECRET: SECRET,
      PUBLIC_READ: 'read,live',
    },
  })
  const browser = await chromium.launch({
    executablePath: '/usr/bin/chromium',
    args: ['--no-sandbox', '--disable-gpu', '--disable-quic', '--no-first-run'],
  })
  try {
    print(`${title}:`)
    for (const [mode, bars] of [
      ['candles', 160],
      // The minutes of the day are computed by the first scroll, and stored for the second.
      ['delta', 120],
      ['volume', 120],
    ] as const) {
      const page = await browser.newPage({ viewport: { width: 1440, height: 900 } })
      const address = `#symbol=${symbol}&profile=0&signals=0&mode=${mode}&bars=${bars}`
      await page.goto(`${worker.url}/chart${address}`)
      await until(page, 'globalThis.booktape?.stage?.range() !== undefined')
      await until(page, '!booktape.session.is_loading')
      await scroll(page, mode)
      if (mode === 'volume') await frames(page)
      await page.close()
    }
    print(`  stored: ${JSON.stringify(await sizeOfClusters(pool))}`)
  } finally {
    await browser.close()
    await worker.stop()
    await engine.stop()
    await gateway.stop()
  }
}

interface Request {
  readonly name: string
  /** Since the page began. */
  readonly start: number
  readonly duration: number
  /** From the request to the first byte of the answer. */
  readonly server: number
}

/**
 * Pages back over the day, as a user does who looks at each screen for a moment. What the page
 * requested before the first key is printed apart: it competes with the start of everything.
 */
async function scroll(page: Page, mode: string): Promise<void> {
  const begun = await page.evaluate<number>(`(() => {
    const { stage } = booktape
    const { setSlots } = stage
    booktape.shows = []
    stage.setSlots = (...args) => {
      const at = performance.now()
      setSlots.apply(stage, args)
      booktape.shows.push(performance.now() - at)
    }
    return performance.now()
  })()`)
  const isBack = (): Promise<boolean> =>
    page.evaluate(`booktape.stage.range().from <= ${from as number}`)
  const screens: number[] = []
  while (!(await isBack())) {
    await page.locator('#chart').press('PageUp')
    screens.push(await page.evaluate<number>(screenShown(mode)))
    await page.waitForTimeout(300)
  }
  await until(page, '!booktape.session.is_loading')
  const requests = await page.evaluate<Request[]>(
    `performance.getEntriesByType('resource').map((entry) => ({
      name: entry.name,
      start: entry.startTime,
      duration: entry.duration,
      server: entry.responseStart - entry.requestStart,
    }))`,
  )
  const bars = await page.evaluate<number>(
    'booktape.stage.slots.filter(({ candle }) => candle !== undefined).length',
  )
  print(`  ${mode}: ${bars} bars`)
  for (const [part, these] of [
    ['load', requests.filter(({ start }) => start < begun)],
    ['scroll-back', requests.filter(({ start }) => start >= begun)],
  ] as const) {
    for (const path of ['candles', 'clusters']) printPages(part, path, these)
  }
  print(`    screens, from the key until all bars are here: ${quantiles(screens)}`)
  print(`    shown: ${quantiles(await page.evaluate<number[]>('booktape.shows'))}`)
}

/** Milliseconds until every bar of the screen is here, with cells where they are shown. */
function screenShown(mode: string): string {
  const is_here = mode === 'candles' ? 'candle' : 'footprint'
  return `(async () => {
    const at = performance.now()
    for (;;) {
      const range = booktape.stage.range()
      const from = Math.ceil(Math.max(range.from, ${from as number}) / 60e6) * 60e6
      const to = Math.min(range.to, ${from + DAY_US})
      const here = booktape.stage.slots.filter(
        (slot) => slot.ts >= from && slot.ts < to && slot.${is_here} !== undefined)
      if (here.length >= (to - from) / 60e6) return performance.now() - at
      await new Promise((resolve) => setTimeout(resolve, 2))
    }
  })()`
}

function printPages(part: string, path: string, requests: readonly Request[]): void {
  const asked = requests.filter(({ name }) => name.includes(`/v1/${path}/`))
  if (asked.length === 0) return
  const twice = asked.length - new Set(asked.map(({ name }) => name)).size
  const whole = quantiles(asked.map(({ duration }) => duration))
  const server = quantiles(asked.map((one) => one.server))
  print(
    `    ${part}, ${path}: ${asked.length} pages, ${twice} requested twice: ${whole}; server ${server}`,
  )
}

function quantiles(times: readonly number[]): string {
  const sorted = times.toSorted((a, b) => a - b)
  return `p50 ${quantile(sorted, 0.5).toFixed(1)} ms, p95 ${quantile(sorted, 0.95).toFixed(1)} ms`
}

/** Cells are made up: what is measured is the drawing. */
async function frames(page: Page): Promise<void> {
  for (const mode of ['delta', 'volume', 'bidask']) {
    const times = await page.evaluate<number[]>(`(async () => {
      const { stage } = booktape
      // Nothing else draws meanwhile.
      booktape.session?.close()
      booktape.session = undefined
      const bars = ${CELLS.bars}, count = ${CELLS.per_bar}, minute = 60_000_000
      const slots = Array.from({ length: bars + 60 }, (_, i) => {
        const low = 60_000 + Math.round(20 * Math.sin(i / 20))
        const price = Float64Array.from({ length: count }, (_, k) => low + k)
        const buy = Float64Array.from(price, () => Math.random() * 9)
        const sell = Float64Array.from(price, () => Math.random() * 9)
        const flags = Uint8Array.from(price, (_, k) => (k === 50 ? 12 : k % 7 === 0 ? 9 : k % 3 === 0 ? 8 : 0))
        const ts = ${from as number} + i * minute
        const close = low + 70
        return {
          ts, delta: 1, delta_sum: i,
          candle: { ts, open: low + 20, high: low + count, low, close, buy_volume: 5, sell_volume: 4, trade_count: 9 },
          footprint: { ts, bin_ticks: 1, step: 1, price, buy, sell, flags, delta: 1, volume: 9,
            min_delta: 0, max_delta: 1, volume_max: 18, delta_max: 9,
            is_unfinished_high: false, is_unfinished_low: false },
        }
      })
      stage.setMode('${mode}')
      const first = slots[0].ts
      stage.setSlots(slots, minute, { from: first, to: first + bars * minute })
      const frame = () => new Promise((resolve) => requestAnimationFrame(resolve))
      for (let i = 0; i < 5; i++) await frame()
      const times = []
      for (let i = 0; i < ${FRAMES}; i++) {
        const begin = first + (i % 60) * 0.5 * minute
        times.push(await new Promise((resolve) => {
          let at = 0
          requestAnimationFrame(() => (at = performance.now()))
          // The chart draws in its own callback of this frame; the message comes after the frame.
          stage.setRange({ from: begin, to: begin + bars * minute })
          requestAnimationFrame(() => {
            const { port1, port2 } = new MessageChannel()
            port1.onmessage = () => resolve(performance.now() - at)
            port2.postMessage(0)
          })
        }))
      }
      return times
    })()`)
    print(`  ${CELLS.bars * CELLS.per_bar} cells, ${mode}: frame ${quantiles(times)}`)
  }
}

/** The page's policy forbids what playwright's waitForFunction does. */
async function until(page: Page, condition: string): Promise<void> {
  while (!(await page.evaluate<boolean>(condition))) await page.waitForTimeout(50)
}

function print(line: string): void {
  process.stdout.write(`${line}\n`)
}
