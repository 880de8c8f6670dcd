/** The index of a stream's messages against a plain list, while it grows and shrinks. */
import { expect, test } from 'vitest'
import { MessageIndex } from '../../../ingestor/live/message-index.ts'

interface Entry {
  readonly seq: number
  readonly frame: number
  readonly record: ReturnType<MessageIndex['record']>
}

test('the index has what a list has, however it grew and shrank', () => {
  const index = new MessageIndex()
  const list: Entry[] = []
  let state = 11
  const random = (max: number): number => (state = (state * 48_271) % 2_147_483_647) % max
  const expectSame = (): void => {
    expect(index.count).toBe(list.length)
    const found = list.map((_, at) => ({
      seq: index.seq(at),
      frame: index.frame(at),
      record: index.record(at),
    }))
    expect(found).toEqual(list)
  }
  let seq = 1_795_879_946_370_444
  for (let round = 0; round < 60; round++) {
    const is_growing = Math.floor(round / 15) % 2 === 0
    for (let count = random(is_growing ? 400 : 40); count > 0; count--) {
      seq += 1 + random(3)
      const record = { tape: random(64), position: random(1e9) * 1e4, row_count: random(5_000) }
      const entry = { seq, frame: random(2 ** 31), record: random(5) === 0 ? undefined : record }
      index.push(entry.seq, entry.frame, entry.record)
      list.push(entry)
    }
    const drop_count = Math.min(list.length, random(is_growing ? 40 : 400))
    index.drop(drop_count)
    list.splice(0, drop_count)
    expectSame()
    const wanted = (list[random(list.length || 1)]?.seq ?? 0) + random(3) - 1
    const expected = list.findIndex((entry) => entry.seq > wanted)
    const found = index.firstAfter(wanted, 0, index.count)
    expect(found).toBe(expected === -1 ? list.length : expected)
  }
})
