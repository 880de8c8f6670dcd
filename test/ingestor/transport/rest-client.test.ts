/** The REST client against a server that refuses, stalls, drips and lies. */
import { createServer, type IncomingMessage, type ServerResponse } from 'node:http'
import type { AddressInfo } from 'node:net'
import { afterEach, expect, test } from 'vitest'
import { silentLogger } from '#core/node/log.ts'
import { createClock } from '../../../ingestor/transport/clock.ts'
import {
  createRestClient,
  type RestClient,
  type RestSettings,
} from '../../../ingestor/transport/rest-client.ts'
import { sleep, until } from './harness.ts'

type Handler = (request: IncomingMessage, response: ServerResponse) => void

const stops: (() => void)[] = []
afterEach(() => {
  for (const stop of stops.splice(0)) stop()
})

const QUICK: Partial<RestSettings> = {
  backoff_base_ms: 5,
  backoff_cap_ms: 20,
  default_block_ms: 50,
}

async function setup(
  handler: Handler,
  settings: Partial<RestSettings> = {},
  weight_per_minute_max = 1_000,
): Promise<{ client: RestClient; asked: readonly { path: string; at_ms: number }[] }> {
  const asked: { path: string; at_ms: number }[] = []
  const server = createServer((request, response) => {
    asked.push({ path: request.url ?? '', at_ms: performance.now() })
    handler(request, response)
  })
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve))
  const client = createRestClient({
    clock: createClock(),
    base_url: `http://127.0.0.1:${(server.address() as AddressInfo).port}/`,
    limits: { weight_per_minute_max, used_weight_header: 'x-mbx-used-weight-1m' },
    log: silentLogger,
    settings: { ...QUICK, ...settings },
  })
  stops.push(() => {
    client.stop()
    server.closeAllConnections()
    server.close()
  })
  return { client, asked }
}

test('an answer arrives whole, with its path and receive time', async () => {
  const { client } = await setup((_request, response) => {
    response.setHeader('x-mbx-used-weight-1m', '17')
    response.write('{"serverTime":')
    setTimeout(() => response.end('"é"}'), 20)
  })
  const before_us = Date.now() * 1_000
  const answer = await client.get({ path: '/fapi/v1/time', weight: 1 })
  expect(answer).toMatchObject({ path: '/fapi/v1/time', body: '{"serverTime":"é"}' })
  expect(answer.ts_ingest - before_us).toBeGreaterThan(15_000)
  expect(client.usedWeight()).toBe(17)
})

test('429 pauses every request for its Retry-After, then they are sent again', async () => {
  let refused_count = 0
  const { client, asked } = await setup((_request, response) => {
    if (refused_count++ > 0) return response.end('ok')
    return response.writeHead(429, { 'retry-after': '1' }).end('{"code":-1003}')
  })
  const first = client.get({ path: '/a', weight: 1 })
  await until('the first request', () => asked.length === 1)
  await sleep(50)
  const second = client.get({ path: '/b', weight: 1, priority: 'high' })
  expect((await Promise.all([first, second])).map((answer) => answer.body)).toEqual(['ok', 'ok'])
  expect(asked[1]!.at_ms - asked[0]!.at_ms).toBeGreaterThan(980)
})

test('418 without a Retry-After is a pause too', async () => {
  let count = 0
  const { client, asked } = await setup((_request, response) => {
    if (count++ === 0) return response.writeHead(418).end()
    return response.end('ok')
  })
  await client.get({ path: '/a', weight: 1 })
  expect(asked[1]!.at_ms - asked[0]!.at_ms).toBeGreaterThan(45)
})

/** Long enough to send the request on a busy machine. */
const SHORT_MS = 500

for (const [name, timeout_ms, handler] of [
  ['server errors', 60_000, (_request, response) => response.writeHead(503).end()],
  ['a connection that is cut', 60_000, (request) => request.socket.destroy()],
  ['no answer in time', SHORT_MS, () => undefined],
  ['a body that never ends', SHORT_MS, (_request, response) => response.write('{')],
] as const satisfies readonly (readonly [string, number, Handler])[]) {
  test(`${name}: retried as often as allowed, then an error that says so`, async () => {
    const { client, asked } = await setup(handler, { attempts_max: 3, timeout_ms })
    await expect(client.get({ path: '/a', weight: 1 })).rejects.toMatchObject({
      code: 'rest_failed',
      retryable: true,
      message: expect.stringContaining('GET /a failed 3 times, last: ') as string,
    })
    expect(asked.length).toBe(3)
  })
}

test('a refusal is final and carries the text of the exchange', async () => {
  const { client, asked } = await setup((_request, response) => {
    response.writeHead(400).end('{"code":-1121,"msg":"Invalid symbol."}')
  })
  await expect(client.get({ path: '/a', weight: 1 })).rejects.toMatchObject({
    code: 'rest_refused',
    message: expect.stringContaining('Invalid symbol.') as string,
  })
  expect(asked.length).toBe(1)
})

test('an answer past the size limit is cut off, not buffered', async () => {
  const { client } = await setup(
    (_request, response) => {
      response.write('x'.repeat(2_000))
      response.end('x'.repeat(2_000))
    },
    { body_bytes_max: 3_000 },
  )
  await expect(client.get({ path: '/a', weight: 1 })).rejects.toMatchObject({
    code: 'rest_too_large',
  })
})

test('high priority overtakes waiting requests, and no more run at once than allowed', async () => {
  const { client, asked } = await setup(
    (_request, response) => {
      setTimeout(() => response.end('ok'), 20)
    },
    { parallel_max: 1 },
  )
  await Promise.all([
    client.get({ path: '/first', weight: 1 }),
    client.get({ path: '/low', weight: 1, priority: 'low' }),
    client.get({ path: '/normal', weight: 1 }),
    client.get({ path: '/high', weight: 1, priority: 'high' }),
  ])
  expect(asked.map((request) => request.path)).toEqual(['/first', '/high', '/normal', '/low'])
})

test('requests wait while the weight is used up, and the queue is bounded', async () => {
  const { client, asked } = await setup(
    (_request, response) => response.setHeader('x-mbx-used-weight-1m', '79').end('ok'),
    { queued_max: 1 },
    100,
  )
  await client.get({ path: '/a', weight: 1 })
  const waiting = client.get({ path: '/b', weight: 5 })
  await expect(client.get({ path: '/c', weight: 5 })).rejects.toMatchObject({
    code: 'rest_queue_full',
  })
  await sleep(50)
  expect(asked.length).toBe(1)
  client.stop()
  await expect(waiting).rejects.toMatchObject({ code: 'rest_stopped' })
})

test('stopping aborts running requests and refuses new ones', async () => {
  const { client, asked } = await setup(() => undefined)
  const running = client.get({ path: '/a', weight: 1 })
  await until('the request', () => asked.length === 1)
  client.stop()
  await expect(running).rejects.toMatchObject({ code: 'rest_stopped' })
  await expect(client.get({ path: '/b', weight: 1 })).rejects.toMatchObject({
    code: 'rest_stopped',
  })
})
