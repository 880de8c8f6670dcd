/** The ring of frames against a plain list, over many random sizes. */
import { expect, test } from 'vitest'
import { FrameMemory } from '../../../ingestor/live/frame-memory.ts'

const SIZE = 1_000

test('what is in memory reads back, and the oldest leave first, for any sizes', () => {
  const memory = new FrameMemory(SIZE)
  let state = 7
  const random = (max: number): number => (state = (state * 48_271) % 2_147_483_647) % max
  const kept: { readonly number: number; readonly owner: number; readonly frame: Buffer }[] = []
  for (let owner = 0; owner < 10_000; owner++) {
    const length = 1 + random(owner % 7 === 0 ? SIZE - 8 : 60)
    const frame = Buffer.alloc(length, owner % 251)
    const left: number[] = []
    const number = memory.put(frame, owner, (one) => left.push(one))
    expect(left).toEqual(kept.splice(0, left.length).map((one) => one.owner))
    if (number === undefined) throw new Error('A frame that fits was refused.')
    frame.fill(255)
    kept.push({ number, owner, frame: Buffer.alloc(length, owner % 251) })
    const used = kept.reduce((sum, one) => sum + one.frame.length, 0)
    expect(memory.used_bytes).toBe(used)
    expect(used).toBeLessThanOrEqual(SIZE)
    if (owner % 100 > 0) continue
    for (const one of kept) expect(memory.read(one.number).equals(one.frame)).toBe(true)
  }
})

test('a frame that is larger than the memory is refused, and all others have left', () => {
  const memory = new FrameMemory(24)
  memory.put(Buffer.from('12345'), 1, () => undefined)
  const left: number[] = []
  expect(memory.put(Buffer.alloc(17), 2, (owner) => left.push(owner))).toBeUndefined()
  expect([left, memory.used_bytes]).toEqual([[1], 0])
  const place = memory.put(Buffer.from('1234567890123456'), 3, () => undefined)!
  expect(memory.read(place).toString()).toBe('1234567890123456')
})
