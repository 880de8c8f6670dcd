/**
 * Rows of a stream in the order in which they arrived, as backtesters read them. A first pass notes
 * the earliest arrival of each chunk; then a row leaves once no later row can have arrived before
 * it. Memory holds the rows that are out of order: refilled trades arrive long after their time.
 */
import type { ColumnData } from './columns.ts'
import { RowChunk } from './row-chunk.ts'

/** Found by the first pass. */
export interface Arrivals {
  /** Rows up to the end of each chunk. */
  readonly ends: readonly number[]
  /** The earliest arrival of the chunk and of all after it [us]. */
  readonly earliest: readonly number[]
}

export interface OrderColumns {
  readonly arrival: string
  readonly numbers: readonly string[]
  readonly flags: readonly string[]
}

export async function arrivalsOf(
  chunks: AsyncIterable<RowChunk>,
  arrival: string,
): Promise<Arrivals> {
  const ends: number[] = []
  const earliest: number[] = []
  let end = 0
  for await (const chunk of chunks) {
    const times = chunk.numbers(arrival)
    let first = Infinity
    for (let row = 0; row < chunk.row_count; row++) first = Math.min(first, times[row]!)
    ends.push((end += chunk.row_count))
    earliest.push(first)
  }
  for (let i = earliest.length - 2; i >= 0; i--) {
    earliest[i] = Math.min(earliest[i]!, earliest[i + 1]!)
  }
  return { ends, earliest }
}

export class ArrivalOrder {
  readonly #columns: OrderColumns
  readonly #arrivals: Arrivals
  #held: RowChunk | undefined
  #taken = 0
  #next = 0

  constructor(columns: OrderColumns, arrivals: Arrivals) {
    this.#columns = columns
    this.#arrivals = arrivals
  }

  /** Takes the next rows of the stream, and returns those that can leave, in order. */
  push(chunk: RowChunk): RowChunk {
    const { ends, earliest } = this.#arrivals
    this.#taken += chunk.row_count
    while (this.#next < ends.length && ends[this.#next]! <= this.#taken) this.#next += 1
    const bound = earliest[this.#next] ?? Infinity
    const held = this.#held?.row_count ?? 0
    if (held === 0 && isInOrder(chunk.numbers(this.#columns.arrival), chunk.row_count, bound)) {
      return chunk
    }
    const all = held === 0 ? chunk : this.#joined(this.#held!, chunk)
    const times = all.numbers(this.#columns.arrival)
    const leaving: number[] = []
    const staying: number[] = []
    for (let row = 0; row < all.row_count; row++) {
      // Rows of the same time keep their order, so all of them leave together.
      if (times[row]! < bound) leaving.push(row)
      else staying.push(row)
    }
    leaving.sort((a, b) => times[a]! - times[b]! || a - b)
    this.#held = this.#picked(all, staying)
    return this.#picked(all, leaving)
  }

  #joined(a: RowChunk, b: RowChunk): RowChunk {
    const row_count = a.row_count + b.row_count
    return this.#made(row_count, (values, of) => {
      values.set(of(a).subarray(0, a.row_count))
      values.set(of(b).subarray(0, b.row_count), a.row_count)
    })
  }

  #picked(chunk: RowChunk, rows: readonly number[]): RowChunk {
    return this.#made(rows.length, (values, of) => {
      const source = of(chunk)
      for (const [i, row] of rows.entries()) values[i] = source[row]!
    })
  }

  #made(
    row_count: number,
    fill: (
      values: Float64Array | Uint8Array,
      of: (chunk: RowChunk) => Float64Array | Uint8Array,
    ) => void,
  ): RowChunk {
    const columns = new Map<string, ColumnData>()
    for (const name of this.#columns.numbers) {
      const values = new Float64Array(row_count)
      fill(values, (chunk) => chunk.numbers(name))
      columns.set(name, { kind: 'numbers', values, nulls: undefined })
    }
    for (const name of this.#columns.flags) {
      const values = new Uint8Array(row_count)
      fill(values, (chunk) => chunk.flags(name))
      columns.set(name, { kind: 'flags', values })
    }
    return new RowChunk(row_count, columns)
  }
}

/** `chunks` in order of arrival; `again` gives the stream's arrivals for the first pass. */
export async function* inArrivalOrder(
  chunks: AsyncIterable<RowChunk>,
  again: AsyncIterable<RowChunk>,
  columns: OrderColumns,
): AsyncGenerator<RowChunk> {
  const order = new ArrivalOrder(columns, await arrivalsOf(again, columns.arrival))
  for await (const chunk of chunks) {
    const leaving = order.push(chunk)
    if (leaving.row_count > 0) yield leaving
  }
}

function isInOrder(times: Float64Array, row_count: number, bound: number): boolean {
  for (let row = 0; row < row_count; row++) {
    if (times[row]! >= bound || (row > 0 && times[row]! < times[row - 1]!)) return false
  }
  return true
}
