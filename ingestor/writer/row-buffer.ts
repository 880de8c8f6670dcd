/**
 * The rows of one stream in a batch. Each event is encoded on arrival and can be collected at once;
 * twenty thousand events waiting for their batch would be copied around by the garbage collector.
 * The symbol id is filled in when the batch is joined, because it may be unknown until then.
 */
import type { Table } from '#core/tables.ts'
import { HOUR_US, hourStart, type Micros } from '#core/time.ts'
import { allocateRows, type RowMemory } from './batch-memory.ts'
import { type Conflict, conflictOf } from './conflicts.ts'
import {
  compareKeys,
  type CopyRows,
  decodeRowAt,
  encodeRow,
  FLAT_ROW_BYTES_MAX,
  rowBytesMax,
  hasSameValues,
  setSymbolId,
  type StoredEvent,
} from './copy-encoder.ts'

const FIRST_ROWS = 16
/** Memory that a cleared buffer keeps. Memory beyond it, from a burst or a snapshot, is freed. */
const KEPT_BYTES_MAX = 2 * 1024 * 1024

export class RowBuffer {
  /** Columns of the table's identity after symbol_id and ts_exchange. */
  readonly #key_count: number
  #bytes = Buffer.allocUnsafeSlow(FIRST_ROWS * FLAT_ROW_BYTES_MAX)
  #view = viewOf(this.#bytes)
  /** Where row n ends and row n + 1 begins. */
  #ends = new Int32Array(FIRST_ROWS)
  #row_count = 0
  #byte_count = 0
  /** True if keys ascend and are unique, as in most streams. */
  #is_sorted = true
  #hours = new Set<Micros>()
  #hour: Micros | undefined

  constructor(table: Table) {
    this.#key_count = table.identity.length - 2
  }

  get row_count(): number {
    return this.#row_count
  }

  get byte_count(): number {
    return this.#byte_count
  }

  /** Partitions that the rows need. */
  get hours(): ReadonlySet<Micros> {
    return this.#hours
  }

  push(event: StoredEvent): void {
    const row_at = this.#byte_count
    if (this.#row_count === this.#ends.length) this.#growEnds()
    const bytes_needed = row_at + rowBytesMax(event)
    if (bytes_needed > this.#bytes.length) this.#growBytes(bytes_needed)
    this.#byte_count = encodeRow(this.#view, row_at, event)
    if (this.#row_count > 0 && this.#compare(this.#startOf(this.#row_count - 1), row_at) >= 0) {
      this.#is_sorted = false
    }
    this.#ends[this.#row_count++] = this.#byte_count
    const { ts_exchange } = event
    const hour = this.#hour
    if (hour === undefined || ts_exchange < hour || ts_exchange >= hour + HOUR_US) {
      this.#hour = hourStart(ts_exchange)
      this.#hours.add(this.#hour)
    }
  }

  /** The rows as decodeRow returns them, with the symbol instead of its id. */
  decoded(table: Table, symbol: string): readonly object[] {
    return Array.from({ length: this.#row_count }, (_, index) => {
      const { symbol_id: _none, ...row } = decodeRowAt(table, this.#bytes, this.#startOf(index))
      return { symbol, ...row }
    })
  }

  /** Drops the rows. Up to KEPT_BYTES_MAX of memory is kept for the next ones. */
  clear(): void {
    if (this.#bytes.length > KEPT_BYTES_MAX) {
      this.#bytes = Buffer.allocUnsafeSlow(FIRST_ROWS * FLAT_ROW_BYTES_MAX)
      this.#view = viewOf(this.#bytes)
      this.#ends = new Int32Array(FIRST_ROWS)
    }
    this.#row_count = 0
    this.#byte_count = 0
    this.#is_sorted = true
    this.#hours = new Set()
    this.#hour = undefined
  }

  /**
   * Appends the rows to `joined` in key order, only the first row of each key. `onOther` is called
   * for each later row with other values, with the offsets of both rows.
   */
  moveInto(joined: JoinedRows, symbol_id: number, onOther: OnOther): void {
    if (this.#is_sorted) {
      const base = joined.append(this.#bytes, 0, this.#byte_count)
      for (let index = 0; index < this.#row_count; index++) {
        joined.noteRow(base + this.#startOf(index), symbol_id)
      }
      return
    }
    const order = Array.from({ length: this.#row_count }, (_, index) => index).toSorted((a, b) =>
      this.#compare(this.#startOf(a), this.#startOf(b)),
    )
    let kept: { readonly start: number; readonly end: number } | undefined
    for (const index of order) {
      const start = this.#startOf(index)
      const end = this.#ends[index]!
      if (kept !== undefined && this.#compare(kept.start, start) === 0) {
        if (hasSameValues(this.#bytes, kept.start, kept.end, start, end)) continue
        onOther(this.#bytes, kept.start, start)
        continue
      }
      kept = { start, end }
      joined.noteRow(joined.append(this.#bytes, start, end), symbol_id)
    }
  }

  #startOf(index: number): number {
    return index === 0 ? 0 : this.#ends[index - 1]!
  }

  #compare(a: number, b: number): number {
    return compareKeys(this.#view, a, b, this.#key_count)
  }

  #growEnds(): void {
    const ends = new Int32Array(this.#ends.length * 2)
    ends.set(this.#ends)
    this.#ends = ends
  }

  #growBytes(bytes_needed: number): void {
    const bytes = Buffer.allocUnsafeSlow(Math.max(bytes_needed, this.#bytes.length * 2))
    bytes.set(this.#bytes.subarray(0, this.#byte_count))
    this.#bytes = bytes
    this.#view = viewOf(bytes)
  }
}

type OnOther = (bytes: Buffer, kept_at: number, refused_at: number) => void

/**
 * Joins the groups in order. Each group is one symbol's. A repeated key is dropped; if the dropped
 * row has other values than the kept one, `onConflict` gets both.
 */
export function joinRows(
  table: Table,
  groups: readonly { readonly symbol_id: number; readonly rows: RowBuffer }[],
  onConflict?: (conflict: Conflict) => void,
  memoryOf: (byte_count: number, row_count: number) => RowMemory = allocateRows,
): CopyRows {
  const row_count = groups.reduce((sum, { rows }) => sum + rows.row_count, 0)
  const byte_count = groups.reduce((sum, { rows }) => sum + rows.byte_count, 0)
  const joined = new JoinedRows(memoryOf(byte_count, row_count))
  for (const { symbol_id, rows } of groups) {
    rows.moveInto(joined, symbol_id, (bytes, kept_at, refused_at) => {
      const decode = (at: number) => ({ ...decodeRowAt(table, bytes, at), symbol_id })
      const conflict = conflictOf(table, decode(kept_at), decode(refused_at))
      if (conflict !== undefined) onConflict?.(conflict)
    })
  }
  return joined.finish(table)
}

class JoinedRows {
  readonly #bytes: Buffer
  readonly #view: DataView
  readonly #offsets: Float64Array
  #row_count = 0
  #end = 0

  constructor({ bytes, offsets }: RowMemory) {
    this.#bytes = bytes
    this.#view = viewOf(bytes)
    this.#offsets = offsets
  }

  /** Returns the offset at which they begin. */
  append(bytes: Buffer, from: number, to: number): number {
    const base = this.#end
    this.#end += bytes.copy(this.#bytes, base, from, to)
    return base
  }

  noteRow(at: number, symbol_id: number): void {
    setSymbolId(this.#view, at, symbol_id)
    this.#offsets[this.#row_count++] = at
  }

  finish(table: Table): CopyRows {
    this.#offsets[this.#row_count] = this.#end
    return {
      table,
      bytes: this.#bytes.subarray(0, this.#end),
      offsets: this.#offsets.subarray(0, this.#row_count + 1),
      row_count: this.#row_count,
    }
  }
}

function viewOf(bytes: Buffer): DataView {
  return new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength)
}
