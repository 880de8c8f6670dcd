import { createServer } from 'node:http'
import type { AddressInfo } from 'node:net'
import { setImmediate as turn } from 'node:timers/promises'
import { afterEach, expect, test } from 'vitest'
import { OperatorError } from '#core/errors.ts'
import { silentLogger } from '#core/node/log.ts'
import { micros } from '#core/time.ts'
import {
  createSnapshotQueue,
  type SnapshotQueueOptions,
} from '../../../ingestor/books/snapshot-queue.ts'
import { createClock } from '../../../ingestor/transport/clock.ts'
import {
  createRestClient,
  type RestAnswer,
  type RestRequest,
} from '../../../ingestor/transport/rest-client.ts'
import { FakeTimers } from '../transport/fake-timers.ts'

const stops: (() => void)[] = []
afterEach(() => {
  for (const stop of stops.splice(0)) stop()
})

type Reply = 'answer' | 'refuse' | 'fail'

/** A queue whose requests the test answers. */
function setup(options: Partial<SnapshotQueueOptions> = {}) {
  const timers = new FakeTimers()
  const open: { request: RestRequest; settle: (reply: Reply) => void }[] = []
  const log: string[] = []
  const get = (request: RestRequest): Promise<RestAnswer> =>
    new Promise((resolve, reject) => {
      log.push(`${request.priority} ${request.path}`)
      const settle = (reply: Reply): void => {
        if (reply === 'answer') resolve({ path: request.path, body: '{}', ts_ingest: micros(1) })
        else reject(new OperatorError(reply === 'refuse' ? 'rest_refused' : 'rest_failed', reply))
      }
      open.push({ request, settle })
    })
  const queue = createSnapshotQueue({
    depthSnapshot: (symbol) => ({ path: symbol, weight: 20 }),
    rest: { get },
    repeat_s: 300,
    onAsked: () => undefined,
    append: () => true,
    random: () => 0.5,
    log: silentLogger,
    timers,
    settings: { parallel_max: 2 },
    ...options,
  })
  stops.push(() => queue.stop())
  const settle = async (reply: Reply = 'answer'): Promise<void> => {
    open.shift()!.settle(reply)
    await turn()
  }
  return { queue, timers, log, settle, open }
}

test('nothing is requested before the streams are subscribed, then a few at a time', async () => {
  const { queue, log, settle } = setup()
  for (const symbol of ['A', 'B', 'C']) queue.want(symbol)
  expect(log).toEqual([])
  queue.start()
  expect(log).toEqual(['high A', 'high B'])
  await settle()
  expect(log).toEqual(['high A', 'high B', 'high C'])
})

test('renewals go one at a time, and a lost book waits for none of them', async () => {
  const { queue, timers, log, settle } = setup({ settings: { parallel_max: 1 } })
  queue.start()
  for (const symbol of ['A', 'B', 'C']) {
    queue.want(symbol)
    await settle()
  }
  timers.advance(299_000)
  expect(log).toHaveLength(3)
  timers.advance(2_000)
  expect(log.slice(3)).toEqual(['low A'])
  queue.want('C')
  expect(log.slice(4)).toEqual(['high C'])
  await settle()
  expect(log.slice(5)).toEqual(['low B'])
})

test('a book that is lost while its renewal waits for weight is requested separately', async () => {
  const { queue, timers, log, settle } = setup()
  queue.start()
  queue.want('A')
  await settle()
  timers.advance(300_000)
  expect(log).toEqual(['high A', 'low A'])
  queue.want('A')
  expect(log).toEqual(['high A', 'low A', 'high A'])
  await settle()
  await settle()
  timers.advance(200_000)
  expect(log).toHaveLength(3)
})

test('wanted again while its answer is in flight: requested once more, a second later', async () => {
  const { queue, timers, log, settle } = setup()
  queue.start()
  queue.want('A')
  queue.want('A')
  queue.want('A')
  await settle()
  expect(log).toEqual(['high A'])
  timers.advance(999)
  expect(log).toEqual(['high A'])
  timers.advance(1)
  expect(log).toEqual(['high A', 'high A'])
})

test('after no answer, or no room on the tape, it retries without limit', async () => {
  let has_room = true
  const { queue, timers, log, settle } = setup({ append: () => has_room })
  queue.start()
  queue.want('A')
  for (let failure = 0; failure < 8; failure++) {
    await settle('fail')
    timers.advance(60_000)
    expect(log).toHaveLength(failure + 2)
  }
  has_room = false
  await settle()
  timers.advance(60_000)
  has_room = true
  await settle()
  expect(log).toHaveLength(10)
  expect(new Set(log)).toEqual(new Set(['high A']))
  timers.advance(200_000)
  expect(log).toHaveLength(10)
})

test('a symbol that the exchange refuses is requested again ten minutes later, others meanwhile', async () => {
  const { queue, timers, log, settle } = setup()
  queue.start()
  queue.want('A')
  await settle('refuse')
  queue.want('A')
  queue.want('B')
  await settle()
  timers.advance(599_000)
  expect(log).toEqual(['high A', 'high B', 'low B'])
  timers.advance(1_000)
  expect(log).toEqual(['high A', 'high B', 'low B', 'high A'])
})

test('a symbol that is no longer recorded is neither requested nor renewed', async () => {
  const { queue, timers, log, settle } = setup()
  queue.start()
  queue.want('A')
  queue.want('B')
  await settle()
  await settle('fail')
  queue.forget(['A', 'B', 'NEVERKNOWN'])
  timers.advance(3_600_000)
  expect(log).toEqual(['high A', 'high B'])
})

test('repeat_s 0: a book in sequence is never requested again', async () => {
  const { queue, timers, log, settle } = setup({ repeat_s: 0 })
  queue.start()
  queue.want('A')
  await settle()
  timers.advance(86_400_000)
  expect(log).toHaveLength(1)
})

test('200 books from a cold start: every minute within the weight, all requested within two', async () => {
  const timers = new FakeTimers()
  const asked_ms: number[] = []
  const server = createServer((_request, response) => {
    asked_ms.push(timers.now_ms())
    const used = asked_ms.filter((at_ms) => timers.now_ms() - at_ms < 60_000).length * 20
    response.setHeader('x-mbx-used-weight-1m', String(used))
    response.end('{}')
  })
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve))
  const rest = createRestClient({
    clock: createClock(),
    base_url: `http://127.0.0.1:${(server.address() as AddressInfo).port}`,
    limits: { weight_per_minute_max: 2_400, used_weight_header: 'x-mbx-used-weight-1m' },
    log: silentLogger,
    timers,
  })
  const answered = new Set<string>()
  const { queue } = setup({
    rest,
    timers,
    depthSnapshot: (symbol) => ({ path: `/depth?symbol=${symbol}`, weight: 20 }),
    append: ({ path }) => Boolean(answered.add(path)),
  })
  stops.push(() => {
    rest.stop()
    server.closeAllConnections()
    server.close()
  })
  queue.start()
  for (let index = 0; index < 200; index++) queue.want(`S${index}`)
  while (answered.size < 200) {
    timers.advance(100)
    for (let turns = 0; turns < 20; turns++) await turn()
  }
  for (const at_ms of asked_ms) {
    const in_a_minute = asked_ms.filter((other) => other >= at_ms && other < at_ms + 60_000)
    expect(in_a_minute.length * 20).toBeLessThanOrEqual(2_400)
  }
  expect(timers.now_ms()).toBeLessThan(120_000)
})
