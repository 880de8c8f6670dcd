/** Bodies sent to callers that read them, read them slowly, or do not read them at all. */
import { Hono } from 'hono'
import { expect, test } from 'vitest'
import { bodyOf } from '../../edge-api/memory/body-parts.ts'
import { createMemoryGate, type MemoryGate } from '../../edge-api/memory/memory-gate.ts'
import { ANSWER_BYTES, sendBodies } from '../../edge-api/memory/send-body.ts'
import type { Problem } from '../../edge-api/problem.ts'

const BODY = new Uint8Array(1 << 20).map((_, i) => i % 251)
const LIMITS = { byte_count_max: 1 << 20, waiting_count_max: 2, wait_ms: 60_000, hold_ms: 20_000 }

/** A pair whose writer waits for its reader, like FixedLengthStream in workerd. */
const open = () =>
  new TransformStream<Uint8Array, Uint8Array>({}, { highWaterMark: 1 }, { highWaterMark: 0 })

function start() {
  const clock = { now_ms: 0 }
  const gate = createMemoryGate(LIMITS, () => clock.now_ms)
  const app = new Hono<{ Variables: { [ANSWER_BYTES]: Uint8Array } }>()
  app.use(
    '*',
    sendBodies(gate, open, () => clock.now_ms),
  )
  app.onError((error, c) => {
    const { code, options } = error as Problem
    return c.json({ code, retry_after: options.headers?.['retry-after'] }, 503)
  })
  app.get('/', (c) => {
    const bytes = BODY.slice()
    c.set(ANSWER_BYTES, bytes)
    return c.body(bodyOf(bytes))
  })
  const sent: Promise<unknown>[] = []
  const context = {
    waitUntil: (one: Promise<unknown>) => void sent.push(one),
    passThroughOnException: () => undefined,
    props: {},
  }
  const ask = async () => app.fetch(new Request('http://x/'), {}, context)
  return { clock, gate, ask, sent }
}

/** Whether the gate holds nothing. */
async function isFree(gate: MemoryGate): Promise<boolean> {
  const got = gate.run(LIMITS.byte_count_max, async () => true)
  return Promise.race([
    got,
    new Promise<boolean>((resolve) => setTimeout(() => resolve(false), 20)),
  ])
}

test('every byte arrives, and is counted until it was read', async () => {
  const { gate, ask, sent } = start()
  const response = await ask()
  expect(await isFree(gate)).toBe(false)
  expect(Buffer.from(await response.arrayBuffer()).equals(BODY)).toBe(true)
  await Promise.all(sent)
  expect(await isFree(gate)).toBe(true)
})

test('while one body is not read the next one is a 503, and then the slow reader is disconnected', async () => {
  const { clock, gate, ask, sent } = start()
  const slow = await ask()
  const reader = slow.body!.getReader()
  await reader.read()
  expect(await (await ask()).json()).toMatchObject({ code: 'too_busy', retry_after: '2' })
  clock.now_ms = 3_000
  await Promise.all(sent)
  await expect(
    (async () => {
      for (let done = false; !done;) ({ done } = await reader.read())
    })(),
  ).rejects.toThrow('too slow')
  expect(await isFree(gate)).toBe(true)
})

test('a slow reader continues if nobody waits; one that reads nothing for ten seconds does not', async () => {
  const { clock, gate, ask, sent } = start()
  const reader = (await ask()).body!.getReader()
  clock.now_ms = 9_000
  await new Promise((resolve) => setTimeout(resolve, 1_200))
  expect((await reader.read()).done).toBe(false)
  // The next part is written before the clock advances.
  await new Promise((resolve) => setTimeout(resolve, 100))
  clock.now_ms = 25_000
  await Promise.all(sent)
  expect(await isFree(gate)).toBe(true)
})
