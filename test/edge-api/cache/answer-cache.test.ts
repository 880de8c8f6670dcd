/** Cached answers: how long, for whom, and how often the route is called. */
import { Hono } from 'hono'
import { cors } from 'hono/cors'
import { describe, expect, test } from 'vitest'
import { micros, SECOND_US } from '#core/time.ts'
import { createAnswerCache } from '../../../edge-api/cache/answer-cache.ts'
import { createKeptAnswers } from '../../../edge-api/cache/kept-answers.ts'
import type { HttpCache } from '../../../edge-api/cache/http-cache.ts'

interface World {
  now_s: number
  /** Calls that were not answered yet. */
  readonly waiting: (() => void)[]
  call_count: number
  cache_control: string
  status: number
  text: string
  hold: boolean
}

function placeCache(): HttpCache & { readonly kept: Map<string, Response> } {
  const kept = new Map<string, Response>()
  return {
    kept,
    match: async (url) => kept.get(url)?.clone(),
    put: async (url, response) => void kept.set(url, response),
  }
}

function start(place = placeCache()) {
  const world: World = {
    now_s: 1_000,
    waiting: [],
    call_count: 0,
    cache_control: 'public, max-age=1, stale-while-revalidate=2',
    status: 200,
    text: 'one',
    hold: false,
  }
  const app = new Hono()
  app.use('*', cors({ origin: (origin) => origin }))
  app.use(
    '*',
    createAnswerCache({
      now: () => micros(world.now_s * SECOND_US),
      cache: place,
      kept: createKeptAnswers(),
      flights: new Map(),
    }),
  )
  app.get('/v1/*', async (c) => {
    world.call_count += 1
    const { text, status, cache_control } = world
    if (world.hold) await new Promise<void>((resolve) => world.waiting.push(resolve))
    if (text === 'broken') throw new Error('broken')
    c.header('cache-control', cache_control)
    return c.body(text, status as 200, { 'content-type': 'text/plain' })
  })
  app.onError((_, c) => c.text('an error', 503, { 'cache-control': 'no-store' }))
  const ask = async (path: string, headers: Record<string, string> = {}) => {
    const response = await app.request(path, { headers })
    return { status: response.status, headers: response.headers, text: await response.text() }
  }
  return { world, ask, app }
}

const tick = (): Promise<void> => new Promise((resolve) => setTimeout(resolve, 5))

test('an answer is reused for as long as its Cache-Control says, with its age', async () => {
  const { world, ask } = start()
  const first = await ask('/v1/quotes/A/latest')
  world.text = 'two'
  world.now_s += 0.9
  const again = await ask('/v1/quotes/A/latest')
  expect([again.text, again.headers.get('age'), world.call_count]).toEqual(['one', null, 1])
  expect(again.headers.get('etag')).toBe(first.headers.get('etag'))
  expect(again.headers.get('content-type')).toBe('text/plain')
  world.now_s += 0.2
  expect((await ask('/v1/quotes/A/latest')).text).toBe('two')
})

test('concurrent equal requests call the route once; another path or format is another call', async () => {
  const { world, ask } = start()
  world.hold = true
  const callers = Array.from({ length: 50 }, () => ask('/v1/quotes/A?from=1&to=2'))
  callers.push(ask('/v1/quotes/A?to=2&from=1'))
  await tick()
  expect(world.call_count).toBe(1)
  const others = [
    ask('/v1/quotes/B?from=1&to=2'),
    ask('/v1/quotes/A?from=1&to=2', { accept: 'text/csv' }),
  ]
  await tick()
  expect(world.call_count).toBe(3)
  for (const answer of world.waiting) answer()
  const answers = await Promise.all([...callers, ...others])
  expect(new Set(answers.map(({ text }) => text))).toEqual(new Set(['one']))
})

test('while a new answer is made the stale one is served, but not forever', async () => {
  const { world, ask } = start()
  await ask('/v1/book/A')
  world.now_s += 1.5
  world.hold = true
  world.text = 'two'
  const leader = ask('/v1/book/A')
  await tick()
  const shown = await ask('/v1/book/A')
  expect([shown.text, shown.headers.get('age'), world.call_count]).toEqual(['one', '1', 2])
  world.now_s += 2
  const late = ask('/v1/book/A')
  await tick()
  for (const answer of world.waiting) answer()
  expect([(await leader).text, (await late).text, world.call_count]).toEqual(['two', 'two', 2])
})

test('a request that waits for a disconnected leader calls the route itself', async () => {
  const { world, ask } = start()
  world.hold = true
  void ask('/v1/book/A')
  await tick()
  world.now_s += 6
  world.hold = false
  expect((await ask('/v1/book/A')).text).toBe('one')
  expect(world.call_count).toBe(2)
})

describe('what is not cached', () => {
  for (const [name, change] of [
    ['no-cache', { cache_control: 'no-cache' }],
    ['no-store', { cache_control: 'no-store' }],
    ['private', { cache_control: 'private, max-age=60' }],
    ['a problem', { status: 404, cache_control: 'public, max-age=60' }],
    ['an error', { text: 'broken' }],
  ] as const) {
    test(name, async () => {
      const { world, ask } = start()
      Object.assign(world, change)
      const first = await ask('/v1/quotes/A')
      const second = await ask('/v1/quotes/A')
      expect([second.status, second.text]).toEqual([first.status, first.text])
      expect(world.call_count).toBe(2)
    })
  }

  for (const path of [
    '/v1/datasets/features_1s/2024-08-08',
    '/v1/jobs',
    '/v1/jobs/5',
    '/v1/validation',
  ]) {
    test(`${path}, nor are its callers joined`, async () => {
      const { world, ask } = start()
      world.cache_control = 'public, max-age=60'
      await Promise.all([ask(path), ask(path)])
      expect(world.call_count).toBe(2)
    })
  }

  test('an answer to another method', async () => {
    const { world, app } = start()
    await app.request('/v1/quotes/A')
    expect((await app.request('/v1/quotes/A', { method: 'POST' })).status).toBe(404)
    expect((await app.request('/v1/quotes/A', { method: 'HEAD' })).status).toBe(200)
    expect(world.call_count).toBe(1)
  })
})

test('a matching If-None-Match gets a 304 without a body, another tag the whole answer', async () => {
  const { world, ask } = start()
  const { headers } = await ask('/v1/trades/A')
  const etag = headers.get('etag')!
  for (const known of [etag, `W/${etag}`, `"x", ${etag}`, '*']) {
    const answer = await ask('/v1/trades/A', { 'if-none-match': known })
    expect([known, answer.status, answer.text, answer.headers.get('etag')]).toEqual([
      known,
      304,
      '',
      etag,
    ])
    expect(answer.headers.get('cache-control')).toContain('max-age=1')
  }
  expect((await ask('/v1/trades/A', { 'if-none-match': '"x"' })).status).toBe(200)
  world.now_s += 2
  world.text = 'two'
  const changed = await ask('/v1/trades/A', { 'if-none-match': etag })
  expect([changed.status, changed.text]).toEqual([200, 'two'])
})

test("each caller gets the headers of its own request, not the first caller's", async () => {
  const { ask } = start()
  await ask('/v1/quotes/A', { origin: 'https://first.example' })
  const { headers } = await ask('/v1/quotes/A', { origin: 'https://second.example' })
  expect(headers.get('access-control-allow-origin')).toBe('https://second.example')
  expect(headers.get('vary')?.toLowerCase()).toMatch(/origin.*accept|accept.*origin/)
})

test('answers that stay fresh longer reach another isolate, and no older than allowed', async () => {
  const place = placeCache()
  const one = start(place)
  one.world.cache_control = 'public, max-age=60'
  await one.ask('/v1/trades/A?to=5')
  await one.ask('/v1/trades/B?to=5')
  const other = start(place)
  other.world.text = 'two'
  other.world.now_s += 59
  const found = await other.ask('/v1/trades/A?to=5')
  expect([found.text, found.headers.get('age'), other.world.call_count]).toEqual(['one', '59', 0])
  other.world.now_s += 2
  expect((await other.ask('/v1/trades/A?to=5')).text).toBe('two')
  expect((await other.ask('/v1/trades/B?to=5')).text).toBe('two')
})

test('a broken cache of the edge location does not change answers', async () => {
  const broken: HttpCache = {
    match: () => Promise.reject(new Error('no cache')),
    put: () => Promise.reject(new Error('no cache')),
  }
  const { world, ask } = start({ ...broken, kept: new Map() })
  world.cache_control = 'public, max-age=60'
  expect((await ask('/v1/trades/A')).text).toBe('one')
})

test('the oldest answers are dropped before memory runs out', async () => {
  const { world, ask } = start()
  world.cache_control = 'public, max-age=9'
  world.text = 'x'.repeat(1 << 20)
  for (let i = 0; i < 17; i++) await ask(`/v1/trades/A${i}`)
  await ask('/v1/trades/A16')
  expect(world.call_count).toBe(17)
  await ask('/v1/trades/A0')
  expect(world.call_count).toBe(18)
})
