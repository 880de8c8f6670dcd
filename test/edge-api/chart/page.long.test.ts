/**
 * The chart page in a real browser, over a simulated exchange with 200 symbols: what it requests,
 * shows and keeps in its address, and that live bars have the numbers of the API.
 */
import type { Browser, Page } from 'playwright-core'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import type { ClusterRow } from '#core/clusters/row.ts'
import { silentLogger } from '#core/node/log.ts'
import type { Pool } from '#core/node/pool.ts'
import { createTopnJob } from '../../../jobs/topn/run-topn.ts'
import { addTrades, raiseThreshold, randomTrades } from '../../jobs/clusters/stand.ts'
import { insertQuotes, insertSymbols, insertTrades } from '../../jobs/market.ts'
import { has_chromium, launchChromium } from '../../support/chromium.ts'
import { type ChartStand, startChartStand } from './stand.ts'

const MINUTE_US = 60_000_000

interface Candle {
  readonly ts: number
  readonly open: number
  readonly high: number
  readonly low: number
  readonly close: number
  readonly buy_volume: number
  readonly sell_volume: number
  readonly trade_count: number
}

/** Traded bars on the page that begin at `from` or later. Runs in the browser. */
const BARS = (from: number): string =>
  `booktape.stage.slots.filter((slot) => slot.candle && slot.ts >= ${from}).map((slot) => slot.candle)`

/** Pixels of the first pane with this red, green and blue. Runs in the browser. */
const pixels = (isCounted: string): string => `(() => {
  const canvas = [...document.querySelectorAll('#chart canvas')]
    .toSorted((a, b) => b.width * b.height - a.width * a.height)[0]
  const { data } = canvas.getContext('2d').getImageData(0, 0, canvas.width, canvas.height)
  const isCounted = (r, g, b) => ${isCounted}
  let count = 0
  for (let i = 0; i < data.length; i += 4) {
    if (isCounted(data[i], data[i + 1], data[i + 2])) count++
  }
  return count
})()`
/** In the colour of holes. */
const HATCHED = pixels('r > 130 && g > 90 && g < r && b < 90')
/** In that of resting quantities, also weak ones: amber over a bluish ground. */
const HEATED = pixels('r > g + 8 && g > b + 8')

/** Footprints on the page that begin in [from, to). Runs in the browser. */
const FOOTPRINTS = (from: number, to: number): string =>
  `booktape.stage.slots.filter(({ ts, footprint }) => footprint && ts >= ${from} && ts < ${to})
    .map(({ footprint: { price, buy, sell, flags, ...rest } }) =>
      ({ ...rest, price: [...price], buy: [...buy], sell: [...sell], flags: [...flags] }))`

// Needs a browser: `apt-get install chromium`. Without one these tests are skipped.
describe.skipIf(!has_chromium)('the chart in Chromium', () => {
  let stand: ChartStand
  let browser: Browser
  const complaints: string[] = []
  const outside: string[] = []
  /** Open from the first test on: bars begin and end on it. */
  let watched: Page
  const watched_requests: string[] = []

  beforeAll(async () => {
    stand = await startChartStand()
    browser = await launchChromium()
  })
  afterAll(() => browser?.close())

  async function open(
    hash: string,
    { width = 1280, requests = [] as string[], frames = [] as string[] } = {},
  ): Promise<Page> {
    const context = await browser.newContext({
      viewport: { width, height: 800 },
      colorScheme: 'dark',
    })
    const page = await context.newPage()
    page.on('console', (message) => {
      // A layer whose route is missing, or a live server that is down, is a failed request too.
      if (message.type() === 'error' && !/Failed to load|WebSocket/.test(message.text()))
        complaints.push(message.text())
    })
    page.on('pageerror', (error) => complaints.push(error.message))
    page.on('request', (request) => {
      const asked = request.url()
      if (!asked.startsWith(stand.url) && !/^(?:data|blob):/.test(asked)) outside.push(asked)
    })
    page.on('response', (response) => {
      // A refused request is made again.
      if (response.ok()) requests.push(response.url().slice(stand.url.length))
    })
    page.on('websocket', (socket) =>
      socket.on('framereceived', ({ payload }) => frames.push(String(payload))),
    )
    await page.goto(`${stand.url}/chart${hash}`)
    await expect.poll(() => page.locator('.state').textContent()).toBe('live')
    await expect.poll(() => page.evaluate(BARS(0))).not.toEqual([])
    return page
  }
  const legend = (page: Page) => page.locator('.legend').textContent()

  test('the page shows the newest bars, and is live', async () => {
    await insertPast(stand)
    watched = await open('#symbol=BTCUSDT&mode=delta&bars=12', { requests: watched_requests })
    await expect.poll(() => watched.evaluate('booktape.stage.is_at_end')).toBe(true)
  })

  test('200 symbols are found by typing, and chosen by keyboard', async () => {
    const page = await open('#symbol=BTCUSDT')
    await page.locator('#chart').press('/')
    await page.keyboard.type('s19')
    const options = page.getByRole('option').locator('b')
    await expect.poll(async () => (await options.allTextContents()).every(isFound)).toBe(true)
    const names = await options.allTextContents()
    expect(names.length).toBeGreaterThanOrEqual(9)
    const count = /^(\d+) symbols$/.exec((await page.locator('.search .count').textContent())!)
    expect(Number(count![1])).toBeGreaterThanOrEqual(200)
    await page.keyboard.press('ArrowDown')
    await page.keyboard.press('Enter')
    await expect.poll(() => legend(page)).toContain(names[1])
    await expect.poll(() => page.url()).toContain(`symbol=${names[1]}`)
    await page.context().close()
  })

  test('no range is requested twice while a day is scrolled back and forth, and none is left out', async () => {
    const requests: string[] = []
    const page = await open('#symbol=BTCUSDT', { requests })
    const chart = page.locator('#chart')
    const edge = (): Promise<number> => page.evaluate('booktape.stage.range().from')
    const end = await edge()
    while ((await edge()) > end - 24 * 60 * MINUTE_US) await chart.press('PageUp')
    await expect.poll(() => page.evaluate('booktape.session.is_loading')).toBe(false)
    await chart.press('End')
    await expect.poll(() => page.evaluate('booktape.session.is_loading')).toBe(false)
    for (const path of ['/v1/candles/', '/v1/gaps?']) {
      const asked = requests.filter((url) => url.startsWith(path))
      expect(asked.length, path).toBeGreaterThan(3)
      expect(asked).toEqual([...new Set(asked)])
      const bounds = asked
        .map((url) => new URLSearchParams(url.split('?')[1]))
        .map((query) => [Number(query.get('from')), Number(query.get('to'))] as const)
        .toSorted(([a], [b]) => a - b)
      for (const [i, [from]] of bounds.slice(1).entries()) expect(from).toBe(bounds[i]![1])
    }
    await page.context().close()
  })

  test('no range of cells, signals or book is requested twice either', async () => {
    const requests: string[] = []
    const page = await open('#symbol=BTCUSDT&mode=delta&bars=60&heat=1&kinds=absorption', {
      requests,
    })
    const isStill = (): Promise<boolean> => page.evaluate('!booktape.session.is_loading')
    const end = await page.evaluate<number>('booktape.stage.range().from')
    while ((await page.evaluate<number>('booktape.stage.range().from')) > end - 240 * MINUTE_US) {
      await page.locator('#chart').press('PageUp')
      await expect.poll(isStill).toBe(true)
    }
    await page.locator('#chart').press('End')
    await expect.poll(isStill).toBe(true)
    for (const path of ['/v1/clusters/', '/v1/signals/', '/v1/candles/']) {
      const asked = requests.filter((url) => url.startsWith(path))
      expect(asked.length, path).toBeGreaterThan(0)
      expect(asked).toEqual([...new Set(asked)])
    }
    // One bin of the heatmap is kept. At the end the price scale may have that of the beginning
    // again, whose ranges are then asked for again.
    const binOf = (url: string): string | null => new URLSearchParams(url.split('?')[1]).get('bin')
    const heat = requests.filter((url) => url.startsWith('/v1/heatmap/'))
    const bins = heat.map((url, i) =>
      heat.slice(0, i).findLastIndex((one) => binOf(one) !== binOf(url)),
    )
    const asked = heat.map((url, i) => `${url} after ${bins[i]}`)
    expect(asked.length).toBeGreaterThan(0)
    expect(asked).toEqual([...new Set(asked)])
    await page.context().close()
  })

  test('every timeframe, kind of bars, bin and theme is shown without a complaint', async () => {
    const page = await open('#symbol=BTCUSDT')
    const modes = ['delta', 'volume', 'bidask']
    const views = ['1m', '5m', '15m', '1h', '4h', '1d'].flatMap((interval, i) => [
      { interval, mode: 'candles', bin: 0, theme: 'light' },
      { interval, mode: modes[i % 3], bin: [0, 1, 20, 1_000][i % 4]!, theme: 'dark' },
    ])
    for (const { interval, mode, bin, theme } of views) {
      const hash = `#symbol=BTCUSDT&interval=${interval}&mode=${mode}&bin=${bin}&theme=${theme}`
      await page.evaluate(`location.hash = ${JSON.stringify(hash)}`)
      const shown = mode === 'candles' ? 'candle' : 'footprint'
      const isShown = `booktape.session.interval === '${interval}' &&
        booktape.stage.slots.some((slot) => slot.${shown})`
      await expect.poll(() => page.evaluate(isShown)).toBe(true)
      expect(await page.evaluate('document.documentElement.dataset.theme')).toBe(theme)
      if (bin === 0) continue
      const bins = await page.evaluate<number[]>(
        'booktape.stage.slots.flatMap(({ footprint }) => footprint ? [footprint.bin_ticks] : [])',
      )
      expect(new Set(bins)).toEqual(new Set([bin]))
    }
    // A refused request is made again.
    await expect.poll(() => page.evaluate('[...booktape.notices]')).toEqual([])
    await page.context().close()
  })

  test('signals are marked by kind, and a link has the same kinds', async () => {
    const page = await open('#symbol=BTCUSDT&bars=30')
    await page.locator('.kinds summary').click()
    const isOn = (name: string): Promise<boolean> => page.getByLabel(name).isChecked()
    expect(await isOn('stacked imbalance')).toBe(true)
    expect(await isOn('wall appeared')).toBe(false)
    const to = Date.now() * 1_000
    const bar = to - (to % MINUTE_US) - 3 * MINUTE_US
    for (const ts of [bar, to]) {
      await stand.pool.query('select marketdata.ensure_signals_day(to_timestamp($1))', [ts / 1e6])
    }
    await stand.pool.query(
      `insert into marketdata.signals
         (id, symbol_id, ts, kind, interval_s, bar_ts, side, price_low, price_high, strength, version)
       select n, s.id, to_timestamp($1), kind, case n when 1 then 60 end, to_timestamp($2), 'buy', 1, 1, 3, 1
       from marketdata.symbols s, (values (1, 'absorption'), (2, 'wall_appeared')) as k (n, kind)
       where s.symbol = 'ETHUSDT'`,
      [(bar + MINUTE_US) / 1e6, bar / 1e6],
    )
    await page.evaluate(`location.hash = '#symbol=ETHUSDT&bars=30'`)
    const kinds = (one: Page): Promise<string[]> =>
      one.evaluate(`booktape.marked.map(({ kind }) => kind)`)
    await expect.poll(() => kinds(page)).toEqual(['absorption'])
    // A new one comes by itself.
    await stand.pool.query(
      `insert into marketdata.signals
         (id, symbol_id, ts, kind, interval_s, bar_ts, side, price_low, price_high, strength, version)
       select 3, id, now(), 'exhaustion', 60, to_timestamp($1), 'sell', 1, 1, 0.9, 1
       from marketdata.symbols where symbol = 'ETHUSDT'`,
      [bar / 1e6],
    )
    await expect.poll(() => kinds(page)).toEqual(['absorption', 'exhaustion'])
    await page.getByLabel('exhaustion').uncheck()
    await page.getByLabel('wall appeared').check()
    await page.getByLabel('absorption').uncheck()
    await expect.poll(() => kinds(page)).toEqual(['wall_appeared'])
    await expect.poll(() => page.url()).toContain('wall_appeared')
    const other = await browser.newPage()
    await other.goto(page.url())
    await expect.poll(() => kinds(other)).toEqual(['wall_appeared'])
    await other.close()
    await page.context().close()
  })

  test('a hole is hatched where it is, and its cause is shown at the pointer', async () => {
    const to = Date.now() * 1_000 - 20 * MINUTE_US
    const requests: string[] = []
    const before = await open('#symbol=ETHUSDT&bars=60', { requests })
    expect(await before.evaluate<number>(HATCHED)).toBe(0)
    await before.context().close()
    await stand.pool.query(
      `insert into marketdata.gaps (symbol_id, channel, from_ts, to_ts, cause, detected_at)
       select id, 'trades', to_timestamp($1), to_timestamp($2), 'disconnect', now()
       from marketdata.symbols where symbol = 'ETHUSDT'`,
      [(to - 5 * MINUTE_US) / 1e6, to / 1e6],
    )
    // The page asks once, and for a moment the API may give the answer from before.
    for (const asked of requests.filter((one) => one.startsWith('/v1/gaps?'))) {
      const query = new URLSearchParams(asked.split('?')[1])
      if (Number(query.get('from')) > to || Number(query.get('to')) < to) continue
      await expect
        .poll(async () => (await fetch(stand.url + asked)).text())
        .toContain('"disconnect"')
    }
    const page = await open('#symbol=ETHUSDT&bars=60')
    await expect.poll(() => page.evaluate<number>(HATCHED)).toBeGreaterThan(500)
    const x = await page.evaluate<number>(`booktape.stage.xOf(${to - 2 * MINUTE_US})`)
    const box = (await page.locator('#chart').boundingBox())!
    await page.mouse.move(box.x + x, box.y + 200)
    await expect
      .poll(() => page.locator('.tip').textContent())
      .toContain('trades: disconnect (the socket was down)')
    await page.mouse.move(box.x + x + 200, box.y + 200)
    await expect.poll(() => page.locator('.tip').count()).toBe(0)
    await page.context().close()
  })

  test('a link shows the same: symbol, range, bars and filters', async () => {
    const page = await open('#symbol=BTCUSDT')
    await page.getByRole('button', { name: '5m', exact: true }).click()
    await page.getByRole('button', { name: 'Heatmap' }).click()
    await page.getByLabel('Taker').selectOption('sell')
    await expect.poll(() => page.evaluate(BARS(0))).not.toEqual([])
    await page.locator('#chart').press('PageUp')
    await expect.poll(() => page.url()).toMatch(/interval=5m.*to=\d+.*bars=\d+.*heat=1.*side=sell/)
    const other = await browser.newPage({ viewport: { width: 1280, height: 800 } })
    await other.goto(page.url())
    const range = (one: Page) => one.evaluate('booktape.stage?.range()')
    await expect.poll(() => range(other)).toBeTruthy()
    const [a, b] = (await Promise.all([range(page), range(other)])) as {
      from: number
      to: number
    }[]
    // The address has whole seconds and whole bars.
    expect(Math.abs(a!.from - b!.from)).toBeLessThan(5 * MINUTE_US)
    expect(Math.abs(a!.to - b!.to)).toBeLessThan(5 * MINUTE_US)
    expect(await other.getByLabel('Taker').inputValue()).toBe('sell')
    await other.close()
    await page.context().close()
  })

  test('footprints, profile and heatmap are there: no layer has a notice', async () => {
    const requests: string[] = []
    const page = await open('#symbol=BTCUSDT&mode=delta&bars=12', { requests })
    const common = { pool: stand.pool, log: silentLogger, now: Date.now }
    const topn = createTopnJob({ ...common, cadence: { min_us: 100_000, max_us: 1_000_000 } })
    const heat = `booktape.session.heat(booktape.stage.range(), '10s', 10).length`
    await expect
      .poll(async () => {
        await topn.run(new AbortController().signal)
        const { rows } = await stand.pool.query('select from marketdata.orderbook_topn limit 1')
        return rows.length
      })
      .toBe(1)
    await expect.poll(() => page.evaluate<number>(heat)).toBeGreaterThan(0)
    for (const path of ['/v1/clusters/', '/v1/volume-profile/', '/v1/heatmap/']) {
      await expect.poll(() => requests.filter((url) => url.startsWith(path))).not.toEqual([])
    }
    await expect
      .poll(() => page.evaluate('booktape.stage.slots.some((slot) => slot.footprint)'))
      .toBe(true)
    expect(await page.evaluate('[...booktape.notices]')).toEqual([])
    // The heatmap is drawn behind the bars, and goes when it is switched off.
    await page.getByRole('button', { name: 'Candles' }).click()
    await expect.poll(() => page.evaluate<number>(HEATED)).toBe(0)
    await page.getByRole('button', { name: 'Heatmap' }).click()
    await expect.poll(() => page.evaluate<number>(HEATED)).toBeGreaterThan(500)
    await page.getByRole('button', { name: 'Heatmap' }).click()
    await expect.poll(() => page.evaluate<number>(HEATED)).toBe(0)
    await page.context().close()
  })

  test('cells of the live stream are those of the API once their bars are final', async () => {
    const opened = await watched.evaluate<number>('performance.timeOrigin * 1000')
    const from = Math.ceil(opened / MINUTE_US) * MINUTE_US
    const newest = (): Promise<number> => watched.evaluate('booktape.feed.minutes?.newest ?? 0')
    // The next whole minute, and the one after it.
    await expect
      .poll(newest, { interval: 500, timeout: 240_000 })
      .toBeGreaterThanOrEqual(from + 2 * MINUTE_US)
    const to = (await newest()) - MINUTE_US
    await raiseThreshold(stand.pool, to)
    const path = `/v1/clusters/BTCUSDT?interval=1m&bin=auto&from=${from}&to=${to}`
    await expect
      .poll(async () => {
        const { rows } = (await (await fetch(stand.url + path)).json()) as { rows: ClusterRow[] }
        const of_api = rows.filter(({ is_final }) => is_final).map(footprintOf)
        const shown = await watched.evaluate<object[]>(FOOTPRINTS(from, to))
        return of_api.length > 0 && isSame(shown, of_api)
      })
      .toBe(true)
    expect(
      (await watched.evaluate<{ bin_ticks: number }[]>(FOOTPRINTS(from, to)))[0]!.bin_ticks,
    ).toBeGreaterThan(1)
    const asked = watched_requests.filter((url) => url.startsWith('/v1/clusters/'))
    expect(asked).toEqual([...new Set(asked)])
    await watched.context().close()
  })

  test('late trades change the bars of an open page without a request, and over a restart', async () => {
    const requests: string[] = []
    const frames: string[] = []
    const page = await open('#symbol=BTCUSDT&mode=delta&bars=12', { requests, frames })
    const isOfBars = (text: string): boolean => /"rows","channel":"clusters"/.test(text)
    await expect.poll(() => frames.some(isOfBars)).toBe(true)
    const now = Date.now() * 1_000
    const end = now - (now % MINUTE_US) - 8 * MINUTE_US
    await raiseThreshold(stand.pool, end)
    const ofApi = async (from: number): Promise<ClusterRow> => {
      const path = `/v1/clusters/BTCUSDT?interval=1m&bin=auto&from=${from}&to=${from + MINUTE_US}`
      const { rows } = (await (await fetch(stand.url + path)).json()) as { rows: ClusterRow[] }
      return rows[0]!
    }
    const addLate = async (from: number, id: number): Promise<number> => {
      const { close, volume } = await ofApi(from)
      const at = { symbol: 'BTCUSDT', ts: from + 30_000_000, id, price: Number(close) }
      await addTrades(stand.pool, [{ ...at, qty: 3.25, is_buyer_maker: false }])
      return Number((Number(volume) + 3.25).toFixed(9))
    }
    const shows = async (from: number, volume: number): Promise<void> => {
      const footprints = FOOTPRINTS(from, from + MINUTE_US)
      await expect.poll(() => page.evaluate(footprints)).toMatchObject([{ volume }])
    }
    const first = end - MINUTE_US
    await shows(first, await addLate(first, 50_000_001))
    const asked = requests.filter((url) => /\/v1\/(?:candles|clusters)/.test(url))
    expect(asked).toEqual([...new Set(asked)])
    // The newest bar keeps growing while no live server is there.
    await stand.stopLive()
    await expect.poll(() => page.locator('.state').textContent()).toContain('reconnecting')
    const second = end - 2 * MINUTE_US
    const volume = await addLate(second, 50_000_002)
    const since = now - MINUTE_US
    const counts = async (): Promise<number> =>
      (await page.evaluate<Candle[]>(BARS(since))).reduce((sum, bar) => sum + bar.trade_count, 0)
    const before = await counts()
    await expect.poll(counts).toBeGreaterThan(before)
    await stand.startLive()
    await expect.poll(() => page.locator('.state').textContent()).toBe('live')
    await shows(second, volume)
    await page.context().close()
  })

  test('a symbol whose newest quote is of another year is shown at its own time', async () => {
    const page = await browser.newPage()
    await page.goto(`${stand.url}/chart#symbol=OLDUSDT`)
    await expect.poll(() => page.evaluate(BARS(0))).toHaveLength(3)
    expect(await page.evaluate('booktape.stage.has_bars_in_view')).toBe(true)
    expect(await page.evaluate('booktape.stage.is_at_end')).toBe(true)
    await page.close()
  })

  test('a token stays out of the address', async () => {
    const page = await open('#symbol=BTCUSDT')
    await page.getByRole('button', { name: 'Token' }).click()
    await page.getByRole('dialog').getByLabel('Token').fill('secret.token')
    await page.getByRole('button', { name: 'Use it' }).click()
    await expect
      .poll(() => page.locator('footer').textContent())
      .toContain('The Authorization header must be')
    expect(page.url()).not.toContain('secret')
    expect(await page.evaluate('sessionStorage.getItem("booktape-token")')).toBe('secret.token')
    await page.context().close()
  })

  test('on a telephone nothing is wider than the screen', async () => {
    const page = await open('#symbol=BTCUSDT', { width: 390 })
    expect(await page.evaluate('document.documentElement.scrollWidth - innerWidth')).toBe(0)
    await page.context().close()
  })

  test('over a restart of the live server the bars have every trade: they are those of the API', async () => {
    const page = await open('#symbol=BTCUSDT')
    const trades = (): Promise<number> =>
      page.evaluate('booktape.feed.minutes ? booktape.feed.tape.length : 0')
    await expect.poll(trades).toBeGreaterThan(0)
    const rows = page.locator('.rungs li')
    await expect.poll(() => rows.count()).toBeGreaterThan(2)
    await stand.stopLive()
    await expect.poll(() => page.locator('.state').textContent()).toContain('reconnecting')
    const missed = await newestId(stand)
    await expect.poll(() => newestId(stand)).toBeGreaterThan(missed + 20)
    await stand.startLive()
    await expect.poll(() => page.locator('.state').textContent()).toBe('live')
    // No trade arrives any more, so both can be compared.
    stand.exchange.setFaults({ faults: [{ kind: 'silence', streams: 'btcusdt@aggTrade' }] })
    const from = Date.now() * 1_000 - 2 * MINUTE_US
    await expect
      .poll(async () => {
        const [shown, api] = [await page.evaluate<Candle[]>(BARS(from)), await candles(stand, from)]
        return shown.length > 0 && JSON.stringify(shown) === JSON.stringify(api)
      })
      .toBe(true)
    await page.context().close()
  })

  test('nothing was loaded from another host, and the browser had nothing to complain of', () => {
    expect(outside).toEqual([])
    expect(complaints).toEqual([])
  })
})

/** Two and a half hours of trades at another price, so that automatic bins are wide. */
async function insertPast({ pool }: ChartStand): Promise<void> {
  const isListed = async (): Promise<boolean> => {
    const { rows } = await pool.query<{ tick_size: number | null }>(
      `select tick_size from marketdata.symbols where symbol = 'BTCUSDT'`,
    )
    return typeof rows[0]?.tick_size === 'number'
  }
  await expect.poll(isListed).toBe(true)
  const minutes = 150
  const from = Date.now() * 1_000 - (minutes + 5) * MINUTE_US
  const of_symbol = { symbol: 'BTCUSDT', from, minutes, per_minute: 6, seed: 17 }
  await insertTrades(pool, randomTrades(of_symbol))
  await insertRecording(pool)
}

/** A symbol that was recorded once, for three minutes. */
async function insertRecording(pool: Pool): Promise<void> {
  const symbol = 'OLDUSDT'
  const from = Date.parse('2024-08-08T23:50:00Z') * 1_000
  await insertSymbols(pool, [symbol])
  await insertTrades(pool, randomTrades({ symbol, from, minutes: 3, per_minute: 6, seed: 3 }))
  const quote = { symbol, ts: from + 3 * MINUTE_US - 1, id: 1 }
  await insertQuotes(pool, [{ ...quote, bid: 61_700, bid_qty: 1, ask: 61_700.1, ask_qty: 1 }])
}

/** A row of the API in the form of the page. */
function footprintOf(row: ClusterRow): object {
  const numbers = (place: 0 | 1 | 2): readonly number[] =>
    row.cells.map((cell) => Number(cell[place]))
  const [price, buy, sell] = [numbers(0), numbers(1), numbers(2)]
  const [low, high] = [Number(row.value_area_low), Number(row.value_area_high)]
  const has = (texts: readonly string[], value: number): boolean =>
    texts.some((text) => Number(text) === value)
  return {
    ts: Date.parse(row.ts) * 1_000,
    bin_ticks: row.bin_ticks,
    step: Number((Number(row.tick_size) * row.bin_ticks).toPrecision(12)),
    delta: Number(row.delta),
    volume: Number(row.volume),
    min_delta: Number(row.min_delta),
    max_delta: Number(row.max_delta),
    is_unfinished_high: row.is_unfinished_high,
    is_unfinished_low: row.is_unfinished_low,
    price,
    buy,
    sell,
    flags: price.map(
      (at) =>
        Number(has(row.buy_imbalances, at)) +
        2 * Number(has(row.sell_imbalances, at)) +
        4 * Number(at === Number(row.poc)) +
        8 * Number(at >= low && at <= high),
    ),
  }
}

/** The largest cells follow from the others. */
function isSame(shown: readonly object[], of_api: readonly object[]): boolean {
  const known = shown.map((one) => {
    const { volume_max: _v, delta_max: _d, ...rest } = one as Record<string, unknown>
    return sorted(rest)
  })
  return JSON.stringify(known) === JSON.stringify(of_api.map(sorted))
}

function sorted(one: object): unknown {
  return Object.entries(one).toSorted(([a], [b]) => (a < b ? -1 : 1))
}

const isFound = (name: string): boolean => name.includes('S19')

async function newestId({ pool }: ChartStand): Promise<number> {
  const { rows } = await pool.query<{ id: string }>(
    `select max(t.agg_trade_id) as id from marketdata.trades t
     join marketdata.symbols s on s.id = t.symbol_id where s.symbol = 'BTCUSDT'`,
  )
  return Number(rows[0]!.id)
}

async function candles({ url }: ChartStand, from: number): Promise<readonly Candle[]> {
  const start = Math.ceil(from / MINUTE_US) * MINUTE_US
  const path = `/v1/candles/BTCUSDT?interval=1m&from=${start}`
  const { rows } = (await (await fetch(`${url}${path}`)).json()) as {
    rows: Record<keyof Candle, string>[]
  }
  return rows.map((row) => ({
    ts: Date.parse(row.ts) * 1_000,
    open: Number(row.open),
    high: Number(row.high),
    low: Number(row.low),
    close: Number(row.close),
    buy_volume: Number(row.buy_volume),
    sell_volume: Number(row.sell_volume),
    trade_count: Number(row.trade_count),
  }))
}
