/**
 * The page in a real browser: every page, what is broken and in which words, on a telephone too.
 */
import type { Browser, Page } from 'playwright-core'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { until } from '../../ingestor/support.ts'
import { publish, setLatest } from '../../edge-api/support.ts'
import { OPERATE, type Stand, startStand } from './stand.ts'
import { has_chromium, launchChromium } from '../../support/chromium.ts'

const PAGES = [
  'Overview',
  'Streams',
  'Gaps',
  'Jobs',
  'Datasets',
  'Database',
  'Validation',
  'Audit',
] as const

/** Texts whose contrast with what is behind them is below 4.5 (WCAG AA). Runs in the browser. */
const WEAK_TEXTS = String.raw`(() => {
  const channels = (colour) => (colour.match(/[\d.]+/g) ?? []).map(Number)
  const luminance = (rgb) => {
    const [r, g, b] = rgb.slice(0, 3).map((value) => {
      const share = value / 255
      return share <= 0.03928 ? share / 12.92 : ((share + 0.055) / 1.055) ** 2.4
    })
    return 0.2126 * r + 0.7152 * g + 0.0722 * b
  }
  const behind = (element) => {
    for (let at = element; at !== null; at = at.parentElement) {
      const colour = channels(getComputedStyle(at).backgroundColor)
      if ((colour[3] ?? 1) === 1) return colour
    }
    return [255, 255, 255]
  }
  const weak = new Set()
  for (const element of document.querySelectorAll('body *')) {
    const has_text = [...element.childNodes].some((node) => node.nodeType === 3 && node.textContent.trim() !== '')
    if (!has_text || element.getClientRects().length === 0 || element.disabled) continue
    const [text, ground] = [luminance(channels(getComputedStyle(element).color)), luminance(behind(element))]
    const contrast = (Math.max(text, ground) + 0.05) / (Math.min(text, ground) + 0.05)
    if (contrast < 4.5) weak.add(element.className + ' ' + element.textContent.trim().slice(0, 30) + ' ' + contrast.toFixed(2))
  }
  return [...weak]
})()`

// Needs a browser: `apt-get install chromium`. Without one these tests are skipped.
describe.skipIf(!has_chromium)('the page in Chromium', () => {
  let stand: Stand
  let browser: Browser
  const complaints: string[] = []
  const outside: string[] = []

  beforeAll(async () => {
    stand = await startStand()
    await setLatest(
      stand.store,
      await publish(stand.store, 'features_1s', '2026-11-20', {
        bytes: new Uint8Array([80, 65, 82, 49]),
      }),
    )
    browser = await launchChromium()
  })
  afterAll(() => browser?.close())

  async function open(width: number, scheme: 'dark' | 'light' = 'dark'): Promise<Page> {
    const context = await browser.newContext({
      viewport: { width, height: 900 },
      colorScheme: scheme,
    })
    const page = await context.newPage()
    page.on('console', (message) => {
      // That the console or Postgres is away is a failed request too.
      if (message.type() === 'error' && !/Failed to load resource/.test(message.text()))
        complaints.push(message.text())
    })
    page.on('pageerror', (error) => complaints.push(error.message))
    page.on('request', (request) => {
      const asked = request.url()
      if (!asked.startsWith(stand.url) && !asked.startsWith('data:')) outside.push(asked)
    })
    await page.goto(stand.url)
    await expect.poll(() => sentence(page)).toContain('recorded')
    return page
  }
  const sentence = async (page: Page): Promise<string> =>
    (await page.locator('#sentence').textContent()) ?? ''
  const go = async (page: Page, name: string): Promise<void> => {
    await page.getByRole('navigation').getByRole('link', { name }).click()
    await expect.poll(() => page.locator('nav a[aria-current]').textContent()).toContain(name)
  }

  for (const [width, scheme] of [
    [1440, 'dark'],
    [1440, 'light'],
    [390, 'dark'],
  ] as const) {
    test(`every page at ${width} px, ${scheme}: nothing is wider than the screen, no error, no other host`, async () => {
      const page = await open(width, scheme)
      for (const name of PAGES) {
        await go(page, name)
        // Cards, or the sentence of an empty one; never a page that waits for ever.
        await expect.poll(() => page.locator('main .card, main .tile').count()).toBeGreaterThan(0)
        await expect
          .poll(() => page.locator('main').textContent())
          .not.toContain('Asking the ingestors')
        const over = await page.evaluate<number>(
          'document.documentElement.scrollWidth - innerWidth',
        )
        expect(over, `${name} at ${width} px`).toBeLessThanOrEqual(0)
        // On a telephone its tab is scrolled into view.
        const tab = (await page.locator('nav a[aria-current]').boundingBox())!
        expect(tab.x, name).toBeGreaterThanOrEqual(0)
        expect(tab.x + tab.width, name).toBeLessThanOrEqual(width + 1)
      }
      const theme = await page.evaluate('document.documentElement.dataset.theme')
      expect(theme).toBe(scheme)
      await page.context().close()
      expect(complaints).toEqual([])
      expect(outside).toEqual([])
    })
  }

  test('all text has enough contrast, dark and light', async () => {
    const page = await open(1440)
    for (let turn = 0; turn < 3; turn++) {
      for (const name of ['Overview', 'Streams']) {
        await go(page, name)
        await expect.poll(() => page.locator('main table').count()).toBeGreaterThan(0)
        expect(await page.evaluate(WEAK_TEXTS)).toEqual([])
      }
      await page.getByRole('button', { name: /Colours/ }).click()
    }
    await page.context().close()
  })

  test('keys alone reach a symbol, its streams and its book', async () => {
    const page = await open(1440)
    await go(page, 'Streams')
    await expect.poll(() => page.locator('.grid').count()).toBeGreaterThan(0)
    for (let presses = 0; presses < 60; presses++) {
      await page.keyboard.press('Tab')
      const text = await page.evaluate('document.activeElement?.textContent')
      if (text === 'BTCUSDT') break
    }
    await page.keyboard.press('Enter')
    await expect.poll(() => page.locator('main').textContent()).toContain('btcusdt@bookTicker')
    await expect.poll(() => page.locator('main').textContent()).toContain('in sequence')
    await page.context().close()
  })

  test('a published day has a link that downloads its file', async () => {
    const page = await open(1440)
    await page.goto(`${stand.url}/#/datasets`)
    const month = (): Promise<string | null> => page.locator('.calendar b').textContent()
    for (let i = 0; i < 600 && (await month()) !== 'November 2026'; i++) {
      await page.getByRole('button', { name: 'The month before' }).click()
    }
    await page.getByRole('button', { name: /^2026-11-20/ }).click()
    const download = page.waitForEvent('download')
    await page
      .getByRole('link', { name: /\.parquet$/ })
      .first()
      .click()
    expect(await (await download).failure()).toBeNull()
    await page.context().close()
  })

  test('who has the token pauses the ingestor after having seen the plan, and finds it in the audit log', async () => {
    const page = await open(1440)
    expect(await page.getByRole('button', { name: 'Pause' }).count()).toBe(0)
    await page.getByRole('button', { name: 'Operate' }).click()
    await page.getByLabel('Token').last().fill(OPERATE)
    await page.getByRole('button', { name: 'Use it' }).click()
    await page.getByRole('button', { name: 'Pause' }).click()
    await expect
      .poll(() => page.getByRole('dialog').textContent())
      .toMatch(/\d+ streams? removed|stay as they are/)
    await page.getByRole('button', { name: 'Carry out' }).click()
    await expect
      .poll(() => sentence(page))
      .toBe('Ingestor one is paused by local for alice: nothing is recorded.')
    await page.getByRole('button', { name: 'Record' }).click()
    await page.getByRole('button', { name: 'Carry out' }).click()
    await expect.poll(() => sentence(page)).toContain('recorded,')
    await go(page, 'Audit')
    await expect.poll(() => page.locator('main tbody tr').count()).toBe(2)
    expect(await page.locator('main tbody').textContent()).toContain('local for alice')
    await page.context().close()
  })

  test('what breaks is named on the page: a silent stream, Postgres, the ingestor, the console', async () => {
    const page = await open(390)
    await until('its pace is known', async () => {
      const { symbols } = (await (await fetch(`${stand.url}/api/streams`)).json()) as {
        symbols: { cells: { channel: string; pace: string }[] }[]
      }
      return symbols.every(
        ({ cells }) => cells.find(({ channel }) => channel === 'book_ticker')?.pace === 'ok',
      )
    })
    stand.exchange.setFaults({ faults: [{ kind: 'silence', streams: 'ethusdt@bookTicker' }] })
    await expect.poll(() => sentence(page)).toMatch(/^ETHUSDT book_ticker has been silent/)
    await go(page, 'Streams')
    await expect
      .poll(() => page.locator('.grid .cell.silent').first().getAttribute('title'))
      .toMatch(/^ETHUSDT book_ticker: silent/)
    stand.exchange.setFaults({ faults: [] })
    await go(page, 'Overview')
    await expect.poll(() => sentence(page)).toContain('recorded')

    await stand.stopPostgres()
    await expect
      .poll(() => sentence(page))
      .toMatch(/cannot write to Postgres.*The tape has room for/)
    await go(page, 'Gaps')
    await expect
      .poll(() => page.locator('main [role=alert]').textContent())
      .toContain('The gaps cannot be shown as of now. ')
    await stand.startPostgres()
    await go(page, 'Overview')
    await expect.poll(() => sentence(page)).toContain('recorded,')

    stand.ingestor.kill('SIGKILL')
    await expect
      .poll(() => sentence(page))
      .toContain('Ingestor one (binance-futures) does not answer')
    await stand.startIngestor()
    await expect.poll(() => sentence(page)).toContain('recorded,')

    await stand.stopConsole()
    await expect
      .poll(() => page.locator('.freshness').textContent())
      .toMatch(/Stale since \d\d:\d\d:\d\d UTC/)
    await stand.startConsole()
    await expect.poll(() => page.locator('.freshness').textContent()).toContain('live')
    await page.context().close()
    expect(complaints).toEqual([])
  })
})
