/**
 * Remembers which rows of one stream were seen already. Two sockets of an ingestor overlap while
 * one replaces the other, two ingestors may record the same stream, and a REST answer may hold
 * known trades. The table keeps the first copy of a row, and so does the live stream.
 *
 * Frames repeat rows only within seconds, so remembering the newest keys is enough. A REST answer
 * may repeat a trade of any age; such a trade is new if its id was missing (MissingIds).
 */

/** Longer than sockets overlap (OVERLAP_US), and than one ingestor lags behind another. */
const KEPT_US = 20_000_000
const KEPT_COUNT_MIN = 256
/** Rows that are forgotten before the arrays are copied. */
const FORGOTTEN_MAX = 4_096

export class KnownRows {
  readonly #ids = new AscendingIds()
  /** When the keys were received that have no number, or arrived out of order. */
  readonly #stamps = new Map<string, number>()

  /** True if the row is new. `stamp`: when it was received. */
  add(key: string, stamp: number): boolean {
    if (this.#stamps.has(key)) return false
    this.#stamps.set(key, stamp)
    if (this.#stamps.size <= KEPT_COUNT_MIN) return true
    // A Map lists its keys in the order in which they were added.
    for (const [oldest, then] of this.#stamps) {
      if (then > stamp - KEPT_US || this.#stamps.size <= KEPT_COUNT_MIN) break
      this.#stamps.delete(oldest)
    }
    return true
  }

  /** The same for rows whose key is a time and an id: most streams have ascending ids. */
  addNumbered(ts: number, id: number, stamp: number): boolean {
    if (this.#ids.add(ts, id, stamp)) return true
    return !this.#ids.has(ts, id) && this.add(`${ts} ${id}`, stamp)
  }
}

/** Rows by ascending id, without an object for each. */
class AscendingIds {
  #ids: number[] = []
  #times: number[] = []
  #stamps: number[] = []
  /** Rows before this index are forgotten. */
  #head = 0

  /** False if the row's id is not greater than that of the row before. */
  add(ts: number, id: number, stamp: number): boolean {
    const count = this.#ids.length
    if (count > 0 && id <= this.#ids[count - 1]!) return false
    this.#ids.push(id)
    this.#times.push(ts)
    this.#stamps.push(stamp)
    const last = this.#ids.length - KEPT_COUNT_MIN
    while (this.#head < last && this.#stamps[this.#head]! <= stamp - KEPT_US) this.#head++
    if (this.#head > FORGOTTEN_MAX && this.#head * 2 > this.#ids.length) {
      this.#ids = this.#ids.slice(this.#head)
      this.#times = this.#times.slice(this.#head)
      this.#stamps = this.#stamps.slice(this.#head)
      this.#head = 0
    }
    return true
  }

  has(ts: number, id: number): boolean {
    let low = this.#head
    let high = this.#ids.length
    while (low < high) {
      const middle = (low + high) >>> 1
      if (this.#ids[middle]! < id) low = middle + 1
      else high = middle
    }
    return this.#ids[low] === id && this.#times[low] === ts
  }
}

/** Both inclusive. */
type IdRange = readonly [from: number, to: number]

/** The trade ids of one stream without a row: those in its gaps, and those after its newest. */
export class MissingIds {
  #ranges: IdRange[] = []
  #newest = -1

  /** A gap between two ids, both exclusive; -1 if the stream had no trade before. */
  addGap(from_id: number, to_id: number): void {
    if (to_id - from_id > 1) this.#ranges.push([from_id + 1, to_id - 1])
  }

  /** A trade arrived in the stream. */
  take(id: number): void {
    if (id > this.#newest) this.#newest = id
    if (this.#ranges.length > 0) this.#remove(id, id)
  }

  /** A trade arrived in a REST answer. Returns true if it was missing until now. */
  takeAnswered(id: number): boolean {
    if (id > this.#newest && this.#newest >= 0) {
      this.addGap(this.#newest, id)
      this.#newest = id
      return true
    }
    return this.#remove(id, id)
  }

  /** Rows with these ids exist, both inclusive. */
  remove(from_id: number, to_id: number): void {
    this.#remove(from_id, to_id)
  }

  #remove(from: number, to: number): boolean {
    const is_hit = this.#ranges.some(([first, last]) => first <= to && last >= from)
    if (!is_hit) return false
    this.#ranges = this.#ranges.flatMap(([first, last]): IdRange[] => {
      if (last < from || first > to) return [[first, last]]
      const left: IdRange[] = []
      if (first < from) left.push([first, from - 1])
      if (last > to) left.push([to + 1, last])
      return left
    })
    return true
  }
}
