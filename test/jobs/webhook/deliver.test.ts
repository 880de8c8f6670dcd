/** Events reach a receiver that is down, slow, refuses, hangs, redirects, or starts again. */
import { createHmac, randomBytes } from 'node:crypto'
import { once } from 'node:events'
import { createServer, type IncomingHttpHeaders, type Server, type ServerResponse } from 'node:http'
import type { AddressInfo } from 'node:net'
import { text } from 'node:stream/consumers'
import { afterEach, beforeEach, expect, test } from 'vitest'
import { silentLogger } from '#core/node/log.ts'
import { inTransaction } from '#core/node/pool.ts'
import { micros } from '#core/time.ts'
import { backOffMs, createWebhookJob, type WebhookJob } from '../../../jobs/webhook/deliver.ts'
import { queueSignals } from '../../../jobs/webhook/queue.ts'
import { sendEvent, signatureOf } from '../../../jobs/webhook/send.ts'
import type { WebhookSettings } from '../../../jobs/webhook/settings.ts'
import { createTestDatabase } from '../../support/database.ts'

const { pool } = await createTestDatabase()
const never = new AbortController().signal
const secret = randomBytes(32)
let now_ms = Date.parse('2026-11-28T12:00:00Z')

interface Received {
  readonly id: string
  readonly body: string
  readonly headers: IncomingHttpHeaders
}

let received: Received[] = []
let answer = (response: ServerResponse, _count: number): unknown => response.end('ok')
let server: Server | undefined

async function startReceiver(port = 0): Promise<number> {
  const started = createServer((request, response) => {
    void text(request).then((body) => {
      const { headers } = request
      received.push({ id: String(headers['webhook-id']), body, headers })
      answer(response, received.length)
    })
  }).listen(port, '127.0.0.1')
  server = started
  await once(started, 'listening')
  return (started.address() as AddressInfo).port
}

async function stopReceiver(): Promise<void> {
  server?.closeAllConnections()
  await new Promise((done) => (server === undefined ? done(null) : server.close(done)))
  server = undefined
}

const settingsOf = (port: number, more: Partial<WebhookSettings> = {}): WebhookSettings => ({
  url: `http://127.0.0.1:${port}/hook`,
  secret,
  refuses_private: false,
  give_up_ms: 72 * 3_600_000,
  ...more,
})
const jobOf = (settings: WebhookSettings): WebhookJob =>
  createWebhookJob({ pool, settings, log: silentLogger, now: () => now_ms, random: () => 1 })

const signalOf = (id: number) => ({
  id,
  ts: micros(now_ms * 1_000),
  kind: 'absorption' as const,
  interval_s: 60,
  bar_ts: micros((now_ms - 60_000) * 1_000),
  side: 'buy' as const,
  price_low: 61_800.1,
  price_high: 61_800.5,
  strength: 0.4,
  details: { bin_ticks: 5, volume: 12.5 },
  version: 1,
})
const queue = (...ids: readonly number[]): Promise<void> =>
  inTransaction(pool, (client) =>
    queueSignals(
      client,
      { exchange: 'binance-futures', symbol: 'BTCUSDT' },
      ids.map((id) => signalOf(id)),
    ),
  )
const waiting = async (): Promise<number> =>
  (await pool.query('select from marketdata.webhook_deliveries')).rowCount!
const ids = (): readonly string[] => received.map(({ id }) => id.split('_').at(-1)!)

beforeEach(async () => {
  received = []
  answer = (response) => response.end('ok')
  await pool.query('delete from marketdata.webhook_deliveries')
  // The server writes created_at by its own clock.
  now_ms = Date.now() + 1_000
})
afterEach(stopReceiver)

test('an event is sent once, in order, signed over its id, time and body', async () => {
  const port = await startReceiver()
  await queue(1, 2, 3)
  // A rerun of the job queues nothing twice.
  await queue(2)
  const job = jobOf(settingsOf(port))
  await job.run(never)
  await job.run(never)
  expect(ids()).toEqual(['1', '2', '3'])
  expect(await waiting()).toBe(0)
  for (const { id, body, headers } of received) {
    const timestamp = String(headers['webhook-timestamp'])
    expect(Math.abs(Number(timestamp) - now_ms / 1_000)).toBeLessThan(2)
    const expected = createHmac('sha256', secret).update(`${id}.${timestamp}.${body}`)
    expect(headers['webhook-signature']).toBe(`v1,${expected.digest('base64')}`)
    expect(JSON.parse(body)).toMatchObject({
      type: 'signal.created',
      data: { symbol: 'BTCUSDT', kind: 'absorption', interval: '1m', details: { bin_ticks: 5 } },
    })
  }
})

test('the signature is that of the published example', () => {
  // https://github.com/standard-webhooks/standard-webhooks, libraries' test vector.
  const key = Buffer.from('MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw', 'base64')
  const event = { id: 'msg_p5jXN8AQM9LWM0D4loKWxJek', body: '{"test": 2432232314}' }
  expect(signatureOf(key, event, 1_614_265_330)).toBe(
    'v1,g0hM9SsE+OTPJTGt/tmIKtSyZlE3uFJELVlNIOLJ1OE=',
  )
})

test('while the receiver is down one attempt is made now and then, and nothing is lost', async () => {
  const port = await startReceiver()
  await stopReceiver()
  await queue(1, 2, 3, 4, 5)
  const job = jobOf(settingsOf(port))
  for (let i = 0; i < 20; i++) await job.run(never)
  const { rows } = await pool.query<{ attempts: string }>(
    'select sum(attempt_count) as attempts from marketdata.webhook_deliveries',
  )
  expect(Number(rows[0]!.attempts)).toBe(1)
  now_ms += 3_000
  await job.run(never)
  expect(await waiting()).toBe(5)
  await startReceiver(port)
  // Another process, as after a restart.
  const again = jobOf(settingsOf(port))
  now_ms += 600_000
  await again.run(never)
  expect(ids().toSorted()).toEqual(['1', '2', '3', '4', '5'])
  expect(await waiting()).toBe(0)
})

test('an event that is refused comes again with the same id, and holds up no other', async () => {
  const port = await startReceiver()
  answer = (response, count) => {
    response.statusCode = count === 1 ? 500 : 204
    response.end()
  }
  await queue(1, 2, 3)
  const job = jobOf(settingsOf(port))
  await job.run(never)
  expect(ids()).toEqual(['1', '2', '3'])
  expect(await waiting()).toBe(1)
  await job.run(never)
  expect(received).toHaveLength(3)
  now_ms += 2_100
  await job.run(never)
  expect(ids()).toEqual(['1', '2', '3', '1'])
  expect(received[3]!.body).toBe(received[0]!.body)
  expect(await waiting()).toBe(0)
})

test('a redirect is not followed, and an endless answer is not read', async () => {
  const port = await startReceiver()
  answer = (response) => response.writeHead(307, { location: '/elsewhere' }).end()
  const settings = settingsOf(port)
  const event = { id: 'one', body: '{}' }
  expect(await sendEvent(settings, event, now_ms, never)).toEqual({ kind: 'refused', status: 307 })
  expect(received).toHaveLength(1)
  let is_closed = false
  answer = (response) => {
    response.on('close', () => (is_closed = true))
    const flood = (): void => {
      if (!response.destroyed && response.write('x'.repeat(65_536))) setImmediate(flood)
    }
    flood()
  }
  expect(await sendEvent(settings, event, now_ms, never)).toEqual({ kind: 'confirmed' })
  await expect.poll(() => is_closed).toBe(true)
})

test('a receiver that accepts and never answers ends with the run', async () => {
  const port = await startReceiver()
  answer = () => undefined
  await queue(1)
  const stopping = new AbortController()
  const running = jobOf(settingsOf(port)).run(stopping.signal)
  await expect.poll(() => received.length).toBe(1)
  stopping.abort()
  await running
  expect(await waiting()).toBe(1)
})

test('private addresses are refused only if asked, by address and by name', async () => {
  const port = await startReceiver()
  for (const url of [`http://127.0.0.1:${port}/`, `http://localhost:${port}/`, 'http://[::1]/']) {
    const settings = settingsOf(port, { url, refuses_private: true })
    const outcome = await sendEvent(settings, { id: 'a', body: '{}' }, now_ms, never)
    expect(outcome, url).toEqual({ kind: 'unreachable', why: 'its address is private' })
  }
  expect(received).toHaveLength(0)
})

test('events are given up after their time, and the oldest of too many', async () => {
  const port = await startReceiver()
  await stopReceiver()
  await queue(1, 2)
  const job = jobOf(settingsOf(port, { give_up_ms: 3_600_000 }))
  now_ms += 3_500_000
  await job.run(never)
  expect(await waiting()).toBe(2)
  now_ms += 200_000
  await job.run(never)
  expect(await waiting()).toBe(0)
  await pool.query(
    `insert into marketdata.webhook_deliveries (event_id, event_type, event_ts, payload, next_attempt_at)
     select 'many_' || n, 'signal.created', now(), '{}', 'infinity' from generate_series(1, 100010) n`,
  )
  now_ms = Date.now() + 1_000
  await job.run(never)
  const { rows } = await pool.query<{ event_id: string; count: string }>(
    `select min(id) as id, count(*) as count,
       (array_agg(event_id order by id))[1] as event_id from marketdata.webhook_deliveries`,
  )
  expect(rows[0]).toMatchObject({ count: '100000', event_id: 'many_11' })
})

test('waits double up to five minutes', () => {
  const waits = Array.from({ length: 12 }, (_, i) => backOffMs(i, 1) / 1_000)
  expect(waits).toEqual([2, 4, 8, 16, 32, 64, 128, 256, 300, 300, 300, 300])
  expect(backOffMs(3, 0)).toBe(12_000)
})
