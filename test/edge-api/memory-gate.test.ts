/** Who is let in at the gate of the worker's memory, who waits, and who is told to come back. */
import { expect, test } from 'vitest'
import { createMemoryGate } from '../../edge-api/memory/memory-gate.ts'

const LIMITS = { byte_count_max: 10, waiting_count_max: 2, wait_ms: 60_000, hold_ms: 1_000 }

/** Work that ends when it is told to. */
function work() {
  const { promise, resolve } = Promise.withResolvers<string>()
  let has_begun = false
  return { run: () => ((has_begun = true), promise), end: resolve, hasBegun: () => has_begun }
}

/** Every callback that is due has run. */
const settled = (): Promise<void> => new Promise((resolve) => setImmediate(resolve))

test('what does not fit waits its turn, and a small one does not pass a large one', async () => {
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

test('where too many wait, the next one is told when to ask again', async () => {
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

test('one who waits too long is refused, and its place is free', async () => {
  const gate = createMemoryGate({ ...LIMITS, wait_ms: 1 }, () => 0)
  const first = work()
  const answer = gate.run(10, first.run)
  await expect(gate.run(10, work().run)).rejects.toMatchObject({ code: 'too_busy' })
  first.end('first')
  expect(await answer).toBe('first')
  expect(await gate.run(10, async () => 'next')).toBe('next')
})

test('work that failed gives back what it held', async () => {
  const gate = createMemoryGate(LIMITS, () => 0)
  await expect(gate.run(10, () => Promise.reject(new Error('broken')))).rejects.toThrow('broken')
  expect(await gate.run(10, async () => 'next')).toBe('next')
})

test('work that never ends, since its caller went away, holds nothing after a while', async () => {
  let now_ms = 0
  const gate = createMemoryGate(LIMITS, () => now_ms)
  void gate.run(10, work().run)
  now_ms = 1_001
  expect(await gate.run(10, async () => 'next')).toBe('next')
})

test('more than there is waits for all of it', async () => {
  const gate = createMemoryGate(LIMITS, () => 0)
  expect(await gate.run(1_000, async () => 'alone')).toBe('alone')
})
