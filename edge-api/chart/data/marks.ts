/** What is marked on the chart, gaps or signals: of the API, and newer of the live stream. */
import type { Blocks } from './blocks.ts'
import type { Range } from './slots.ts'

/** Of the live stream. The oldest go first. */
const LIVE_MAX = 5_000

export class Marks<T> {
  readonly blocks: Blocks<T>
  readonly #live: T[] = []
  readonly #keyOf: (mark: T) => number | string
  readonly #isIn: (mark: T, range: Range) => boolean

  /** Two marks of one key are one. */
  constructor(
    blocks: Blocks<T>,
    keyOf: (mark: T) => number | string,
    isIn: (mark: T, range: Range) => boolean,
  ) {
    this.blocks = blocks
    this.#keyOf = keyOf
    this.#isIn = isIn
  }

  add(mark: T): void {
    this.#live.push(mark)
    if (this.#live.length > LIVE_MAX) this.#live.shift()
  }

  /** Those of the API win: by then a gap may be repaired. */
  in(range: Range): readonly T[] {
    const known = new Map<number | string, T>()
    for (const marks of [this.blocks.rows(0, range.to), this.#live]) {
      for (const mark of marks) {
        if (!this.#isIn(mark, range)) continue
        const key = this.#keyOf(mark)
        if (!known.has(key)) known.set(key, mark)
      }
    }
    return [...known.values()]
  }
}
