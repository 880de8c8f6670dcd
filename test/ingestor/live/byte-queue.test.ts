import { expect, test } from 'vitest'
import { ByteQueue } from '../../../ingestor/live/byte-queue.ts'

test('bytes leave in the order in which they came, however they were cut', () => {
  const queue = new ByteQueue()
  const pushed: Buffer[] = []
  const left: Buffer[] = []
  let state = 5
  const random = (max: number): number => (state = (state * 48_271) % 2_147_483_647) % max
  for (let round = 0; round < 500; round++) {
    const bytes = Buffer.alloc(random(round % 20 === 0 ? 60_000 : 600), round % 251)
    queue.push(bytes)
    pushed.push(Buffer.from(bytes))
    // The queue has a copy.
    bytes.fill(255)
    for (let count = random(3); count > 0; count--) {
      const block = queue.shift()
      if (block !== undefined) left.push(block)
    }
    const held = Buffer.concat(pushed).length - Buffer.concat(left).length
    expect(queue.byte_count).toBe(held)
  }
  for (let block = queue.shift(); block !== undefined; block = queue.shift()) left.push(block)
  expect(Buffer.concat(left).equals(Buffer.concat(pushed))).toBe(true)
  expect([queue.byte_count, queue.shift()]).toEqual([0, undefined])
})
