/**
 * Memory for the encoded rows of batches, used again for every second one: a batch is committed
 * while the next is prepared. With new memory for each, V8 would collect all its garbage twice a
 * second at full load.
 */
import type { RawChannel } from '#core/tables.ts'

/** Of one table in one batch. Its contents are those of an earlier batch. */
export interface RowMemory {
  readonly bytes: Buffer
  readonly offsets: Float64Array
}

export class BatchMemory {
  #current = new Map<RawChannel, RowMemory>()
  #previous = new Map<RawChannel, RowMemory>()

  /** Call before a batch is prepared, once the batch before the last is committed. */
  turn(): void {
    const next = this.#previous
    this.#previous = this.#current
    this.#current = next
  }

  of(table: RawChannel, byte_count: number, row_count: number): RowMemory {
    const kept = this.#current.get(table)
    if (kept !== undefined && isEnough(kept, byte_count, row_count)) return kept
    const memory = allocateRows(roundUp(byte_count), roundUp(row_count))
    if (memory.bytes.length <= KEPT_BYTES_MAX) this.#current.set(table, memory)
    return memory
  }
}

/** Twice a full batch of quotes. Memory beyond it, for a batch of whole books, is freed. */
const KEPT_BYTES_MAX = 4 * 1024 * 1024

export function allocateRows(byte_count: number, row_count: number): RowMemory {
  return {
    bytes: Buffer.allocUnsafeSlow(byte_count),
    offsets: new Float64Array(row_count + 1),
  }
}

function isEnough({ bytes, offsets }: RowMemory, byte_count: number, row_count: number): boolean {
  return bytes.length >= byte_count && offsets.length > row_count
}

/** To a power of two, so that slowly growing batches seldom need new memory. */
function roundUp(count: number): number {
  return 2 ** Math.ceil(Math.log2(Math.max(count, 1)))
}
