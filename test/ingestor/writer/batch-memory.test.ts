/** Which batches share memory. */
import { expect, test } from 'vitest'
import { BatchMemory } from '../../../ingestor/writer/batch-memory.ts'

const MIB = 1024 * 1024

function next(memory: BatchMemory, byte_count: number, row_count: number) {
  memory.turn()
  return memory.of('trades', byte_count, row_count)
}

test('every second batch uses the same memory, neighbours never', () => {
  const memory = new BatchMemory()
  const [first, second] = [next(memory, 900, 9), next(memory, 900, 9)]
  expect(second.bytes.buffer).not.toBe(first.bytes.buffer)
  expect(second.offsets.buffer).not.toBe(first.offsets.buffer)
  for (let round = 0; round < 3; round++) {
    expect(next(memory, 1_000, 8)).toBe(first)
    expect(next(memory, 1, 0)).toBe(second)
  }
})

test('tables of a batch have memory of their own', () => {
  const memory = new BatchMemory()
  memory.turn()
  const trades = memory.of('trades', 900, 9)
  expect(memory.of('book_ticker', 900, 9).bytes.buffer).not.toBe(trades.bytes.buffer)
})

test('memory is enough for more bytes or more rows, and what a large batch needed is freed', () => {
  const memory = new BatchMemory()
  const first = next(memory, 900, 9)
  next(memory, 900, 9)
  const more_rows = next(memory, 900, 5_000)
  expect(more_rows.offsets.length).toBeGreaterThan(5_000)
  expect(more_rows).not.toBe(first)
  next(memory, 900, 9)
  const large = next(memory, 9 * MIB, 100)
  expect(large.bytes.length).toBeGreaterThanOrEqual(9 * MIB)
  next(memory, 900, 9)
  expect(next(memory, 900, 9)).toBe(more_rows)
})
