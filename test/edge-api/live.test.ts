/**
 * The live stream through the worker in real workerd, and the client package in Node and in a
 * browser, over restarts of the live server.
 */
import { mkdtemp, rm } from 'node:fs/promises'
import { createServer } from 'node:http'
import type { AddressInfo } from 'node:net'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { build } from 'esbuild'
import { afterAll, beforeAll, expect, test } from 'vitest'
import { mintToken } from '#core/access-token.ts'
import { silentLogger } from '#core/node/log.ts'
import { openLive } from '../../edge-api/client/live.ts'
import { parseNodeConfig } from '../../edge-api/node/config.ts'
import { startNodeServer } from '../../edge-api/node/server.ts'
import { freePort } from '../../infra/local/ports.ts'
import {
  buildWorker,
  type LocalWorker,
  startWorker,
  type WorkerBundle,
} from '../../infra/local/worker.ts'
import type { LiveServer } from '../../ingestor/live/live-server.ts'
import { LiveClient } from '../ingestor/live/client.ts'
import { createStand, now, type Recording, type Stand } from '../ingestor/live/stand.ts'
import { startEdge, type TestEdge, TOKEN_SECRET } from './support.ts'
import { has_chromium, launchChromium } from '../support/chromium.ts'

const RESTARTS = 3

let stand: Stand
let recording: Recording
let live: LiveServer
let worker: LocalWorker
let bundle: WorkerBundle
let bindings: Readonly<Record<string, string>>
let edge: TestEdge
let token: string
let port: number
const dir = await mkdtemp(join(tmpdir(), 'booktape-live-'))
const startLive = (): Promise<LiveServer> =>
  stand.startLive({
    LIVE_PUBLIC: 'false',
    TOKEN_SECRET,
    LIVE_PORT: String(port),
    LIVE_HEARTBEAT_S: '1',
    LIVE_DRAIN_S: '0',
    LIVE_CLIENTS_PER_TOKEN_MAX: '20',
  })

beforeAll(async () => {
  stand = await createStand('one')
  recording = stand.recordings[0]!
  recording.startWriter()
  recording.trade(1)
  port = await freePort()
  live = await startLive()
  edge = await startEdge()
  await edge.pool.query(
    `insert into marketdata.symbols (exchange, symbol) values ('binance-futures', 'BTCUSDT')`,
  )
  bundle = await buildWorker(join(dir, 'bundle'))
  bindings = { ...edge.bindings, PUBLIC_READ: 'read', LIVE_URL: `http://127.0.0.1:${port}` }
  worker = await startWorker({
    port: 0,
    bundle,
    bindings,
    persist_dir: join(dir, 'miniflare'),
  })
  token = (await mintToken(TOKEN_SECRET, ['live'], 1, now())).text
})
afterAll(async () => {
  await worker.stop()
  await rm(dir, { recursive: true })
})

const bearer = () => ({ authorization: `Bearer ${token}` })

/** Holds every read of the table until it is released. */
async function holdReads(table: string) {
  const client = await edge.pool.connect()
  await client.query(`begin; set local idle_in_transaction_session_timeout = 0;
    lock table marketdata.${table} in access exclusive mode`)
  return {
    /** Resolves once a read waits. */
    async isHeld(): Promise<void> {
      const select = `select count(*)::int as count from pg_stat_activity
        where wait_event_type = 'Lock' and datname = current_database()`
      await expect
        .poll(async () => (await edge.pool.query<{ count: number }>(select)).rows[0]!.count)
        .toBeGreaterThan(0)
    },
    async release(): Promise<void> {
      await client.query('commit')
      client.release()
    },
  }
}

test('a cold worker: callers share a read, and the first of them goes away', async () => {
  const cold = await startWorker({ port: 0, bundle, bindings, persist_dir: join(dir, 'cold') })
  try {
    // While the worker's own code and lists are read first, and again when they are known.
    for (const path of ['/v1/trades/BTCUSDT', '/v1/trades/BTCUSDT?limit=7']) {
      const held = await holdReads('trades')
      const leaving = new AbortController()
      const first = fetch(`${cold.url}${path}`, { signal: leaving.signal })
      first.catch(() => undefined)
      await held.isHeld()
      const second = fetch(`${cold.url}${path}`)
      // Answered after the second came in.
      expect((await fetch(`${cold.url}/openapi.json`)).status).toBe(200)
      leaving.abort()
      await expect(first).rejects.toThrow('aborted')
      const third = fetch(`${cold.url}${path}`)
      expect((await fetch(`${cold.url}/openapi.json`)).status).toBe(200)
      await held.release()
      const answers = await Promise.all([second, third])
      expect(answers.map(({ status }) => status)).toEqual([200, 200])
      const [own, other] = await Promise.all(answers.map((answer) => answer.text()))
      expect(own).toBe(other)
    }
  } finally {
    await cold.stop()
  }
})

test('requests that wait for memory get it when those that hold it go away', async () => {
  const held = await holdReads('trades')
  const leaving = new AbortController()
  const pathOf = (at: number): string => `/v1/trades/BTCUSDT?limit=${10_000 - at}`
  // Together they hold all memory for pages; the database answers none of them.
  const holders = Array.from({ length: 12 }, (_, at) =>
    fetch(`${worker.url}${pathOf(at)}`, { signal: leaving.signal }).catch(() => undefined),
  )
  await held.isHeld()
  const waiting = Array.from({ length: 6 }, (_, at) => fetch(`${worker.url}${pathOf(100 + at)}`))
  expect((await fetch(`${worker.url}/openapi.json`)).status).toBe(200)
  leaving.abort()
  await Promise.all(holders)
  await held.release()
  const answers = await Promise.all(waiting)
  expect(answers.map(({ status }) => status)).toEqual(answers.map(() => 200))
})

test('the worker passes WebSockets on, with the scope live only', async () => {
  const client = await new LiveClient(worker.url, { headers: bearer() }).opened()
  client.send({ op: 'subscribe', channel: 'trades', symbol: 'BTCUSDT' })
  await client.untilMessage(({ type }) => type === 'subscribed')
  recording.trade(100)
  await client.until(() => (client.ids().includes(100) ? true : undefined))
  client.end()
  await expect(new LiveClient(worker.url).opened()).rejects.toThrow('401')
  const other = (await mintToken(TOKEN_SECRET, ['read'], 1, now())).text
  const headers = { authorization: `Bearer ${other}` }
  await expect(new LiveClient(worker.url, { headers }).opened()).rejects.toThrow('403')
})

test('the limit of clients per token counts those of the worker', async () => {
  const connectWith = async (text: string) =>
    new LiveClient(worker.url, { headers: { authorization: `Bearer ${text}` } }).opened()
  const mint = async () => (await mintToken(TOKEN_SECRET, ['live'], 1, now())).text
  const own = await mint()
  const clients = await Promise.all(Array.from({ length: 20 }, () => connectWith(own)))
  await expect(connectWith(own)).rejects.toThrow('429')
  clients.push(await connectWith(await mint()))
  for (const client of clients) client.end()
})

test('cursors that cannot be resumed are refused through the worker too, by name', async () => {
  const probe = await new LiveClient(worker.url, { headers: bearer() }).opened()
  probe.send({ op: 'subscribe', channel: 'trades', symbol: 'BTCUSDT' })
  const { epoch, seq } = await probe.untilMessage(({ type }) => type === 'subscribed')
  for (const [resume, code, status] of [
    [{ epoch: '00000000-0000-4000-8000-000000000000', seq }, 'outdated_cursor', 410],
    [{ epoch, seq: seq + 3_600_000_000 }, 'future_cursor', 409],
    [{ epoch, seq: 1 }, 'outdated_cursor', 410],
  ] as const) {
    const client = await new LiveClient(worker.url, { headers: bearer() }).opened()
    client.send({ op: 'subscribe', channel: 'trades', symbol: 'BTCUSDT', resume })
    expect((await client.untilMessage(({ type }) => type === 'error')).code).toBe(code)
    client.end()
    const query = `channel=trades&symbol=BTCUSDT&resume=${resume.epoch}:${resume.seq}`
    const events = await fetch(`${worker.url}/v1/live?${query}`, { headers: bearer() })
    const problem = (await events.json()) as { readonly type: string }
    expect([events.status, problem.type]).toEqual([status, `urn:booktape:problem:${code}`])
  }
  probe.end()
})

test('on Node too', async () => {
  const config = parseNodeConfig({ PORT: '0' })
  const node = await startNodeServer(config, bindings, bundle.assets_dir, silentLogger)
  try {
    const client = await new LiveClient(node.url, { headers: bearer() }).opened()
    client.send({ op: 'subscribe', channel: 'trades', symbol: 'BTCUSDT' })
    await client.untilMessage(({ type }) => type === 'subscribed')
    recording.trade(150)
    await client.until(() => (client.ids().includes(150) ? true : undefined))
    client.end()
    await expect(new LiveClient(node.url).opened()).rejects.toThrow('401')
    const events = await fetch(`${node.url}/v1/live?channel=trades&symbol=BTCUSDT`, {
      headers: bearer(),
    })
    const reader = events.body!.pipeThrough(new TextDecoderStream()).getReader()
    let text = ''
    while (!text.includes('"subscribed"')) text += (await reader.read()).value
    await reader.cancel()
  } finally {
    node.http.closeAllConnections()
    await new Promise((resolve) => node.http.close(resolve))
  }
})

test('the worker passes events on as they come', async () => {
  const stop = new AbortController()
  const response = await fetch(`${worker.url}/v1/live?channel=trades&symbol=BTCUSDT`, {
    headers: bearer(),
    signal: stop.signal,
  })
  expect(response.headers.get('content-type')).toBe('text/event-stream')
  const decoder = new TextDecoder()
  let text = ''
  let is_recorded = false
  for await (const chunk of response.body!) {
    text += decoder.decode(chunk, { stream: true })
    if (text.includes('"subscribed"') && !is_recorded) recording.trade(200)
    is_recorded ||= text.includes('"subscribed"')
    if (text.includes('"agg_trade_id":200')) break
  }
  stop.abort()
})

test('trades can be waited for, from cursor to cursor', async () => {
  const ask = async (path: string) =>
    (await (await fetch(`${worker.url}${path}`)).json()) as {
      readonly next: string
      readonly rows: readonly { readonly agg_trade_id: number }[]
      readonly errors?: readonly { readonly parameter: string }[]
    }
  const begun = await ask('/v1/trades/BTCUSDT?wait=0')
  expect(begun.rows).toEqual([])
  const waiting = ask(begun.next.replace('wait=0', 'wait=30'))
  recording.trade(300)
  const found = await waiting
  expect(found.rows.map(({ agg_trade_id }) => agg_trade_id)).toEqual([300])
  recording.trade(301)
  const more = await ask(found.next)
  expect(more.rows.map(({ agg_trade_id }) => agg_trade_id)).toEqual([301])
  const wrong = await ask('/v1/trades/BTCUSDT?wait=61&limit=1')
  expect(wrong.errors!.map(({ parameter }) => parameter)).toEqual(['wait', 'limit'])
})

test('the client in Node: an iterable without gaps across restarts', async () => {
  const ids: number[] = []
  const stream = openLive({
    url: worker.url,
    token,
    channels: ['trades'],
    symbols: ['BTCUSDT'],
  })
  const reading = (async () => {
    for await (const message of stream) {
      if (message.type !== 'rows') continue
      ids.push(...message.rows.map((row) => row.agg_trade_id))
    }
  })()
  await restarting(1_000, () => ids.at(-1))
  stream.close()
  await reading
  expect(ids.filter((id) => id >= 1_000)).toEqual(countedFrom(1_000))
})

test('the client says why it cannot go on', async () => {
  const read = async (options: { token?: string; symbols: string[] }) => {
    const stream = openLive({ url: worker.url, channels: ['trades'], ...options })
    for await (const message of stream) throw new Error(`Unexpected: ${message.type}`)
  }
  await expect(read({ token, symbols: ['NOTHING'] })).rejects.toMatchObject({
    code: 'unknown_symbol',
  })
  await expect(read({ symbols: ['BTCUSDT'] })).rejects.toMatchObject({ code: 'token_missing' })
})

test.skipIf(!has_chromium)('the client in a browser: the same', async () => {
  const built = await build({
    entryPoints: [join(import.meta.dirname, '../../edge-api/client/live.ts')],
    bundle: true,
    write: false,
    format: 'iife',
    globalName: 'booktape',
  })
  const script = `${built.outputFiles[0]!.text}
    const ids = (window.ids = [])
    ;(async () => {
      const options = { url: ${JSON.stringify(worker.url)}, token: ${JSON.stringify(token)} }
      const stream = booktape.openLive({ ...options, channels: ['trades'], symbols: ['BTCUSDT'] })
      for await (const { rows = [] } of stream) for (const row of rows) ids.push(row.agg_trade_id)
    })()`
  const site = createServer((_, response) => {
    response.setHeader('content-type', 'text/html')
    response.end(`<!doctype html><title>live</title><script>${script}</script>`)
  })
  await new Promise<void>((resolve) => site.listen(0, '127.0.0.1', resolve))
  const browser = await launchChromium()
  try {
    const page = await browser.newPage()
    await page.goto(`http://127.0.0.1:${(site.address() as AddressInfo).port}`)
    const idsThere = () => page.evaluate<number[]>('window.ids')
    let ids: readonly number[] = []
    await restarting(2_000, async () => (ids = await idsThere()).at(-1))
    expect(ids.filter((id) => id >= 2_000)).toEqual(countedFrom(2_000))
  } finally {
    await browser.close()
    site.close()
  }
})

/** Trades are recorded while the live server is up, and while it is down. */
const PER_PART = 25
const countedFrom = (first: number): readonly number[] =>
  Array.from({ length: 2 * PER_PART * RESTARTS + 1 }, (_, index) => first + index)

async function restarting(
  first: number,
  newest: () => number | undefined | Promise<number | undefined>,
): Promise<void> {
  // Until the client follows: it gets a trade that was recorded after it began.
  let probe = first - 500
  await expect
    .poll(async () => {
      recording.trade(probe++)
      return newest()
    })
    .toBeGreaterThan(0)
  let id = first
  const record = (): void => {
    for (let count = 0; count < PER_PART; count++) recording.trade(id++)
  }
  for (let round = 0; round < RESTARTS; round++) {
    record()
    await live.stop()
    record()
    live = await startLive()
  }
  recording.trade(id)
  await expect.poll(newest).toBe(id)
}
