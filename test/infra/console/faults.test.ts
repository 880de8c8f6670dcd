/**
 * Faults of the exchange server: what is broken is named in words within five seconds. Before each
 * fault the page must not say these words, so it names this fault and not the one before. `npm run
 * test:dashboard` injects every fault, each on a page that says that all is well, with 200 symbols
 * and a browser, and keeps a picture of every page.
 */
import { mkdirSync } from 'node:fs'
import { join } from 'node:path'
import type { Page } from 'playwright-core'
import { afterAll, expect, test } from 'vitest'
import type { FaultRequestInput } from '../../../infra/exchange/faults/spec.ts'
import type { Snapshot, StreamsView } from '../../../infra/console/wire.ts'
import { symbolsUpToTier } from '../../../ingestor/symbol-tiers.ts'
import { until } from '../../ingestor/support.ts'
import { measureMachine } from '../../support/machine.ts'
import { startStand, SYMBOLS, watch } from './stand.ts'
import { has_chromium, launchChromium } from '../../support/chromium.ts'

/** Pictures go there. With it, a browser shows 200 symbols. */
const { DASHBOARD_DIR } = process.env
/** On a machine that has nothing else to do; on a busy one it grows by the measured factor. */
const LIMIT_MS = 5_000
/** Without DASHBOARD_DIR: one fault for each way in which the page learns of one. */
const QUICK = ['silence', 'corrupt', 'cut', 'refuse']
const PICTURE_MS = 2_000
/** For the minute of a fault, and for books that are asked for anew. */
const SETTLE_MS = 240_000
const PAGES = ['overview', 'streams', 'gaps', 'jobs', 'datasets', 'database', 'validation', 'audit']

const stand = await startStand(
  DASHBOARD_DIR === undefined
    ? { symbols: SYMBOLS, events_per_s: 600 }
    : { symbols: symbolsUpToTier(3), events_per_s: 2_000 },
)
const viewer = await watch(stand.url)
const browser = DASHBOARD_DIR !== undefined && has_chromium ? await launchChromium() : undefined
afterAll(async () => {
  viewer.end()
  await browser?.close()
})

interface Fault {
  readonly name: string
  readonly request: FaultRequestInput
  /** In the words of the page. */
  readonly words: RegExp
}

const FAULTS: readonly Fault[] = [
  {
    name: 'silence',
    request: { faults: [{ kind: 'silence', streams: 'btcusdt@bookTicker' }] },
    words: /BTCUSDT book_ticker has been silent for [\d.]+ s; it usually speaks every/,
  },
  {
    name: 'drop',
    request: { faults: [{ kind: 'drop', streams: '*@aggTrade', probability: 0.3 }] },
    words: /gaps? ended in the last minute|(trades|depth_events).*(silent|not heard)/,
  },
  {
    name: 'delay',
    request: { faults: [{ kind: 'delay', delay_ms: 8_000, streams: '*@bookTicker' }] },
    words: /late: |streams are silent/,
  },
  {
    name: 'duplicate',
    request: { faults: [{ kind: 'duplicate' }] },
    words: /events twice in the last minute/,
  },
  {
    name: 'corrupt',
    request: { faults: [{ kind: 'corrupt', probability: 0.2 }] },
    words: /rejects: they are not what the exchange documents/,
  },
  {
    name: 'out_of_range',
    request: { faults: [{ kind: 'out_of_range', probability: 0.2 }] },
    words: /rejects: they are not what the exchange documents/,
  },
  {
    name: 'bad_utf8',
    request: { faults: [{ kind: 'bad_utf8', probability: 0.2 }] },
    words: /rejects: |closed in the last minute|not heard/,
  },
  {
    name: 'unknown_type',
    request: { faults: [{ kind: 'unknown_type', probability: 0.2 }] },
    words: /rejects: they are not what the exchange documents/,
  },
  {
    name: 'huge',
    request: { faults: [{ kind: 'huge', size_bytes: 2 * 1024 * 1024, count_max: 2 }] },
    words: /rejects: |closed in the last minute|not heard/,
  },
  {
    name: 'cut',
    request: { faults: [{ kind: 'cut', count_max: 2 }] },
    words: /closed in the last minute|not heard/,
  },
  {
    name: 'close_after',
    request: {
      faults: [{ kind: 'close_after', after_ms: 1_500 }],
      actions: [{ kind: 'close_all' }],
    },
    words: /closed in the last minute|not heard/,
  },
  {
    name: 'server_shutdown',
    request: { actions: [{ kind: 'server_shutdown', close_after_ms: 500 }] },
    words: /closed in the last minute|not heard/,
  },
  {
    name: 'refuse',
    request: { faults: [{ kind: 'refuse' }], actions: [{ kind: 'close_all' }] },
    words: /None of the .* is heard \(disconnect\)|not heard \(disconnect\)/,
  },
  {
    name: 'refuse_streams',
    request: {
      faults: [{ kind: 'refuse_streams', streams: 'btcusdt@bookTicker' }],
      actions: [{ kind: 'close_all' }],
    },
    words: /The exchange refuses 1 stream: BTCUSDT book_ticker/,
  },
  {
    name: 'handshake 503',
    request: {
      faults: [{ kind: 'http_status', target: 'handshake', status: 503 }],
      actions: [{ kind: 'close_all' }],
    },
    words: /None of the .* is heard \(disconnect\)|not heard \(disconnect\)/,
  },
  {
    name: 'rest 500',
    request: {
      faults: [{ kind: 'http_status', target: 'rest', status: 500 }],
      actions: [{ kind: 'close_all' }],
    },
    words: /order books? of binance-futures are not in sequence/,
  },
]

const texts = (snapshot: Snapshot | undefined): readonly string[] =>
  (snapshot?.troubles ?? []).map(({ text }) => text)
const injected = FAULTS.filter(({ name }) => DASHBOARD_DIR !== undefined || QUICK.includes(name))

async function openPage(width: number, scheme: 'dark' | 'light'): Promise<Page> {
  const viewport = { width, height: 900 }
  const context = await browser!.newContext({ viewport, colorScheme: scheme })
  const page = await context.newPage()
  await page.goto(stand.url)
  return page
}

async function shoot(page: Page, name: string): Promise<void> {
  await page.screenshot({ path: join(DASHBOARD_DIR!, `${name}.png`) })
}

test('the pace of every stream is learnt', async () => {
  if (DASHBOARD_DIR !== undefined) mkdirSync(DASHBOARD_DIR, { recursive: true })
  await until('quotes are as usual', async () => {
    const { symbols } = (await (await fetch(`${stand.url}/api/streams`)).json()) as StreamsView
    const quotes = symbols.flatMap(({ cells }) =>
      cells.filter(({ channel }) => channel === 'book_ticker'),
    )
    const known = quotes.filter(({ pace }) => pace === 'ok')
    return known.length > 0 && known.length >= 0.9 * quotes.length
  })
  if (DASHBOARD_DIR !== undefined) {
    // Books of a start are not missed; what is lost later is.
    await until(
      'it runs for a minute',
      () => (viewer.newest()?.ingestors[0]?.status?.ingestor.uptime_s ?? 0) > 61,
    )
  }
  await until('all is well', () => texts(viewer.newest()).length === 0)
  expect(viewer.newest()?.sentence).toMatch(/^All is well/)
})

for (const { name, request, words } of injected) {
  test(`${name}: named in words`, async () => {
    const isSaid = (text: string): boolean => words.test(text)
    // What is counted by the minute is said for a minute.
    await until(
      `nothing is said that ${name} must bring`,
      () => {
        const said = texts(viewer.newest())
        return DASHBOARD_DIR === undefined ? !said.some(isSaid) : said.length === 0
      },
      SETTLE_MS,
    )
    const page = browser === undefined ? undefined : await openPage(1_440, 'dark')
    await page?.locator('#sentence').waitFor()
    expect(texts(viewer.newest()).filter(isSaid)).toEqual([])
    const machine = measureMachine()
    const began_ms = performance.now()
    stand.exchange.setFaults(request)
    await until(`${name} is named`, () => texts(viewer.newest()).some(isSaid)).catch(
      (error: unknown) => {
        throw new Error(`The page says: ${texts(viewer.newest()).join(' ')}`, { cause: error })
      },
    )
    const took_ms = performance.now() - began_ms
    const factor = machine.end()
    const figures = `named after ${(took_ms / 1_000).toFixed(1)} s, machine ${factor.toFixed(1)}`
    if (page !== undefined) {
      await expect
        .poll(() => page.locator('.state').textContent(), { timeout: LIMIT_MS * factor })
        .toMatch(words)
      await shoot(page, `fault-${name.replaceAll(' ', '-')}`)
      process.stdout.write(`${name}: ${figures}\n`)
      await page.context().close()
    }
    expect(took_ms, figures).toBeLessThan(LIMIT_MS * factor)
    stand.exchange.setFaults({ faults: [] })
    await until('every stream is heard', () => {
      const totals = viewer.newest()?.totals
      return (
        totals !== null && totals !== undefined && totals.streams_heard === totals.streams_wanted
      )
    })
  })
}

test.runIf(browser !== undefined)('a picture of every page, dark, light and narrow', async () => {
  for (const [width, scheme] of [
    [1_440, 'dark'],
    [1_440, 'light'],
    [390, 'dark'],
  ] as const) {
    const page = await openPage(width, scheme)
    for (const name of PAGES) {
      await page.goto(`${stand.url}/#/${name}`)
      await page.locator('main .card, main .tile').first().waitFor()
      // Tables and lines come after the frame; a live page never rests.
      await page.waitForTimeout(PICTURE_MS)
      await shoot(page, `${name}-${width}-${scheme}`)
    }
    await page.goto(`${stand.url}/#/streams/binance-futures/BTCUSDT`)
    await page.locator('main .card').first().waitFor()
    await shoot(page, `symbol-${width}-${scheme}`)
    expect(await page.locator('main').textContent()).toContain('BTCUSDT')
    await page.context().close()
  }
})
