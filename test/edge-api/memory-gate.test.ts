/** Which requests the memory gate admits, lets wait, or refuses. */
import { expect, test } from 'vitest'
import { createMemoryGate } from '../../edge-api/memory/memory-gate.ts'

const LIMITS = { byte_count_max: 10, waiting_count_max: 2, wait_ms: 60_000, hold_ms: 1_000 }

/** Work that the test ends. */
function work() {
  const { promise, resolve } = Promise.withResolvers<string>()
  let has_begun = false
  return { run: () => ((has_begun = true), promise), end: resolve, hasBegun: () => has_begun }
}

/** Every callback that is due has run. */
const settled = (): Promise<void> => new Promise((resolve) => setImmediate(resolve))

test('a request that does not fit waits its turn, and a small one does not overtake a large one', async () => {
  const gate = createMemoryGate(LIMITS, () => 0)
  const [first, large, small] = [work(), work(), work()]
  const answers = [gate.run(8, first.run), gate.run(9, large.run), gate.run(1, small.run)]
  await settled()
  expect([first, large, small].map((one) => one.hasBegun())).toEqual([true, false, false])
  first.end('first')
  await settled()
  expect([large, small].map((one) => one.hasBegun())).toEqual([true, true])
  large.end('large')
  small.end('small')
  expect(await Promise.all(answers)).toEqual(['first', 'large', 'small'])
})

test('if too many wait, the next one gets a 503 with Retry-After', async () => {
  const gate = createMemoryGate(LIMITS, () => 0)
  const works = [work(), work(), work()]
  const answers = works.map((one) => gate.run(10, one.run))
  await expect(gate.run(1, work().run)).rejects.toMatchObject({
    status: 503,
    code: 'too_busy',
    options: { headers: { 'retry-after': '2' } },
  })
  for (const one of works) one.end('done')
  expect(await Promise.all(answers)).toEqual(['done', 'done', 'done'])
})

test('a request that waits too long is refused, and its place is freed', async () => {
  const gate = createMemoryGate({ ...LIMITS, wait_ms: 1 }, () => 0)
  const first = work()
  const answer = gate.run(10, first.run)
  await expect(gate.run(10, work().run)).rejects.toMatchObject({ code: 'too_busy' })
  first.end('first')
  expect(await answer).toBe('first')
  expect(await gate.run(10, async () => 'next')).toBe('next')
})

test('failed work frees its memory', async () => {
  const gate = createMemoryGate(LIMITS, () => 0)
  await expect(gate.run(10, () => Promise.reject(new Error('broken')))).rejects.toThrow('broken')
  expect(await gate.run(10, async () => 'next')).toBe('next')
})

test('work that never ends, because its caller disconnected, is freed after a timeout', async () => {
  let now_ms = 0
  const gate = createMemoryGate(LIMITS, () => now_ms)
  void gate.run(10, work().run)
  now_ms = 1_001
  expect(await gate.run(10, async () => 'next')).toBe('next')
})

test('a request larger than the limit waits for all of the memory', async () => {
  const gate = createMemoryGate(LIMITS, () => 0)
  expect(await gate.run(1_000, async () => 'alone')).toBe('alone')
})
