/**
 * Gathers rows by key on disk in bounded memory. Rows go into a buffer; when it is full, they are
 * appended to the file sorted by key. The rows of a key come back in the order of addition. The
 * file belongs to the caller, who deletes it.
 */
import { type FileHandle, open } from 'node:fs/promises'

export interface GatheredRows {
  /** All rows, concatenated. */
  readonly bytes: Buffer
  readonly row_count: number
}

export interface KeySize {
  readonly key: number
  readonly row_count: number
  readonly byte_count: number
}

/** Position of a key's rows in the file. */
interface Kept {
  row_count: number
  byte_count: number
  /** Alternating offset and length. */
  readonly pieces: number[]
}

/** Consecutive rows. */
export interface RowBlock {
  readonly bytes: Buffer
  /** End of each row; the first begins at 0. */
  readonly ends: readonly number[]
  readonly keys: readonly number[]
}

const FIRST_RUNS = 64 * 1_024
const NONE = -1

export class Spill {
  readonly #file: FileHandle
  #file_bytes = 0
  /** First half: rows in order of arrival. Second half: the same rows ordered by key. */
  readonly #bytes: Uint8Array
  readonly #half: number
  #filled = 0
  /** Runs of rows of one key: their ends, their row counts, and the next run of the same key. */
  #ends = new Int32Array(FIRST_RUNS)
  #counts = new Int32Array(FIRST_RUNS)
  #nexts = new Int32Array(FIRST_RUNS)
  #run_count = 0
  #last_key: number | undefined
  /** First and last run of each key. */
  readonly #chains = new Map<number, { readonly first: number; last: number }>()
  readonly #keys = new Map<number, Kept>()

  private constructor(file: FileHandle, buffer_bytes: number) {
    this.#file = file
    this.#half = buffer_bytes
    this.#bytes = new Uint8Array(2 * buffer_bytes)
  }

  /** Takes twice `buffer_bytes` of memory. No block may be larger than `buffer_bytes`. */
  static async create(path: string, buffer_bytes: number): Promise<Spill> {
    return new Spill(await open(path, 'wx+'), buffer_bytes)
  }

  async add({ bytes, ends, keys }: RowBlock): Promise<void> {
    const length = ends.at(-1) ?? 0
    if (this.#filled + length > this.#half) await this.flush()
    if (length > this.#half) {
      throw new Error(`A block of ${length} bytes exceeds the buffer of ${this.#half}.`)
    }
    const base = this.#filled
    this.#bytes.set(bytes.subarray(0, length), base)
    this.#filled += length
    for (let row = 0; row < ends.length; row++) this.#noteRow(keys[row]!, base + ends[row]!)
  }

  /** Writes the buffer to the file. */
  async flush(): Promise<void> {
    let end = this.#half
    for (const key of [...this.#chains.keys()].toSorted((left, right) => left - right)) {
      const begin = end
      let row_count = 0
      for (let run = this.#chains.get(key)!.first; run !== NONE; run = this.#nexts[run]!) {
        const from = run === 0 ? 0 : this.#ends[run - 1]!
        this.#bytes.copyWithin(end, from, this.#ends[run])
        end += this.#ends[run]! - from
        row_count += this.#counts[run]!
      }
      this.#noteKept(key, row_count, this.#file_bytes + begin - this.#half, end - begin)
    }
    const length = end - this.#half
    await this.#file.write(this.#bytes, this.#half, length, this.#file_bytes)
    this.#file_bytes += length
    this.#filled = 0
    this.#run_count = 0
    this.#last_key = undefined
    this.#chains.clear()
  }

  /** In no particular order. Covers only flushed rows. */
  sizes(): readonly KeySize[] {
    return Array.from(this.#keys, ([key, { row_count, byte_count }]) => ({
      key,
      row_count,
      byte_count,
    }))
  }

  /** The rows of these keys; those of one key are in the order of addition. */
  async read(keys: readonly number[]): Promise<GatheredRows> {
    const kept = keys.map((key) => this.#keys.get(key)!)
    const row_count = kept.reduce((sum, one) => sum + one.row_count, 0)
    const bytes = Buffer.allocUnsafeSlow(kept.reduce((sum, one) => sum + one.byte_count, 0))
    let end = 0
    for (const [begin, length] of joinedPieces(kept)) {
      const { bytesRead } = await this.#file.read(bytes, end, length, begin)
      if (bytesRead !== length) throw new Error('The spill file is shorter than expected.')
      end += length
    }
    return { bytes, row_count }
  }

  close(): Promise<void> {
    return this.#file.close()
  }

  #noteRow(key: number, end: number): void {
    if (key === this.#last_key) {
      this.#ends[this.#run_count - 1] = end
      this.#counts[this.#run_count - 1]!++
      return
    }
    this.#last_key = key
    const run = this.#run_count++
    if (run === this.#ends.length) {
      this.#ends = doubled(this.#ends)
      this.#counts = doubled(this.#counts)
      this.#nexts = doubled(this.#nexts)
    }
    this.#ends[run] = end
    this.#counts[run] = 1
    this.#nexts[run] = NONE
    const chain = this.#chains.get(key)
    if (chain === undefined) this.#chains.set(key, { first: run, last: run })
    else {
      this.#nexts[chain.last] = run
      chain.last = run
    }
  }

  #noteKept(key: number, row_count: number, begin: number, length: number): void {
    let kept = this.#keys.get(key)
    if (kept === undefined) {
      this.#keys.set(key, (kept = { row_count: 0, byte_count: 0, pieces: [] }))
    }
    kept.row_count += row_count
    kept.byte_count += length
    kept.pieces.push(begin, length)
  }
}

function doubled(values: Int32Array): Int32Array<ArrayBuffer> {
  const longer = new Int32Array(values.length * 2)
  longer.set(values)
  return longer
}

/** Offsets and lengths in file order. Adjacent pieces are joined into one read. */
function joinedPieces(kept: readonly Kept[]): readonly (readonly [number, number])[] {
  const pieces: [number, number][] = []
  for (const { pieces: of_key } of kept) {
    for (let i = 0; i < of_key.length; i += 2) pieces.push([of_key[i]!, of_key[i + 1]!])
  }
  const joined: [number, number][] = []
  for (const [begin, length] of pieces.toSorted(([left], [right]) => left - right)) {
    const last = joined.at(-1)
    if (last !== undefined && last[0] + last[1] === begin) last[1] += length
    else joined.push([begin, length])
  }
  return joined
}
