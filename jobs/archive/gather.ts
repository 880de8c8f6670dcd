/**
 * Gathers an hour's rows on the local disk by symbol and ten-second slot, and sums their checksums.
 * The table is read once, in its physical order. Sorting happens in memory, for one or more slots
 * of one symbol at a time. Invariant: ten seconds of one symbol fit into memory; nothing else has a
 * limit.
 */
import type { Exchange } from '#core/symbols.ts'
import { isDerived, type TableShape } from '#core/archived-tables.ts'
import { type Micros, SECOND_US } from '#core/time.ts'
import { RowStream } from '#core/node/pg-copy/row-stream.ts'
import { addRows, ChecksumSums, hashText } from '../columns/checksum.ts'
import { compareText, dataColumns, type SymbolRows } from '../columns/columns.ts'
import { sortRows } from '../columns/sort.ts'
import { decodeRows, rowEnd, rowHasher, symbolIdReader, tsOfRow } from './copy-rows.ts'
import { encodeRows } from './encode-rows.ts'
import { Spill } from './spill.ts'

export interface ListedSymbol {
  readonly exchange: Exchange
  readonly symbol: string
}

/** Sorted rows of one symbol. Parts of a symbol are in order of time. */
export interface Part {
  readonly symbol: string
  readonly rows: SymbolRows
}

/** Sums of an exchange's rows by source. */
export interface ExchangeSums {
  /** Rows of the table. */
  readonly table: ChecksumSums
  /** Rows of the previous version. */
  readonly file: ChecksumSums
}

const SLOT_US = 10 * SECOND_US
const SLOTS = 360
/** The spill takes twice this much memory. */
const BUFFER_BYTES = 24 * 1024 * 1024
/** Rows are sorted in parts of this size: about 120,000 quotes. */
const PART_BYTES_MAX = 12 * 1024 * 1024
/** Rows of a file are converted back to COPY rows in batches of this size. */
const FILE_ROWS = 4_096

interface KnownSymbol extends ListedSymbol {
  readonly index: number
  readonly hash: number
}

interface TableSymbol {
  readonly known: KnownSymbol
  readonly sums: ChecksumSums
}

export class HourRows {
  readonly #table: TableShape
  readonly #hour: Micros
  readonly #spill: Spill
  /** Whose row counts if the table and the previous version both have a row with one identity. */
  readonly #winner: 'table' | 'file'
  readonly #symbols: KnownSymbol[] = []
  readonly #by_name = new Map<string, KnownSymbol>()
  readonly #sums = new Map<Exchange, ExchangeSums>()

  private constructor(table: TableShape, hour: Micros, spill: Spill) {
    this.#table = table
    this.#hour = hour
    this.#spill = spill
    this.#winner = isDerived(table.name) ? 'table' : 'file'
  }

  /** `path` must not exist yet. The caller deletes it after close(). */
  static async create(table: TableShape, hour: Micros, path: string): Promise<HourRows> {
    return new HourRows(table, hour, await Spill.create(path, BUFFER_BYTES))
  }

  /** Every exchange that has rows, sorted by name. */
  get exchanges(): readonly Exchange[] {
    return [...this.#sums.keys()].toSorted(compareText)
  }

  sumsOf(exchange: Exchange): ExchangeSums {
    let sums = this.#sums.get(exchange)
    if (sums === undefined) {
      const columns = dataColumns(this.#table)
      sums = { table: new ChecksumSums(columns), file: new ChecksumSums(columns) }
      this.#sums.set(exchange, sums)
    }
    return sums
  }

  /** Adds rows of a file. Call after addTableRows. */
  async addFileRows(listed: ListedSymbol, rows: SymbolRows): Promise<void> {
    const symbol = this.#symbolOf(listed)
    addRows(this.sumsOf(listed.exchange).file, listed.symbol, rows)
    for (let from = 0; from < rows.row_count; from += FILE_ROWS) {
      const to = Math.min(rows.row_count, from + FILE_ROWS)
      const { bytes, ends } = encodeRows(this.#table, rows, from, to)
      const view = viewOf(bytes)
      const keys = ends.map((_, row) => this.#keyOf(symbol, tsOfRow(view, ends[row - 1] ?? 0)))
      await this.#spill.add({ bytes, ends, keys })
    }
  }

  /** `stream` is a binary COPY of the table's columns in order; `listed` is by symbol_id. */
  async addTableRows(
    stream: AsyncIterable<Buffer>,
    listed: ReadonlyMap<number, ListedSymbol>,
  ): Promise<void> {
    const take = this.#rowTaker(listed)
    const rows = new RowStream()
    for await (const chunk of stream) {
      const bytes = rows.add(chunk)
      if (bytes !== undefined) rows.keep(await take(bytes))
    }
    rows.end()
  }

  /**
   * The exchange's rows by symbol and time. If several rows have one identity, one is kept and the
   * others are added to `repeated`. Call after all rows have been added.
   */
  async *parts(exchange: Exchange, repeated: ChecksumSums): AsyncGenerator<Part> {
    await this.#spill.flush()
    for (const { symbol, keys } of this.#partKeys(exchange)) {
      const { bytes, row_count } = await this.#spill.read(keys)
      const decoded = decodeRows(this.#table, viewOf(bytes), row_count)
      const sorted = sortRows(this.#table, decoded, this.#winner === 'table' ? 'first' : 'last')
      if (sorted.repeated !== undefined) addRows(repeated, symbol, sorted.repeated)
      yield { symbol, rows: sorted.rows }
    }
  }

  close(): Promise<void> {
    return this.#spill.close()
  }

  /** Takes all complete rows, and returns the rest of the bytes. */
  #rowTaker(listed: ReadonlyMap<number, ListedSymbol>): (bytes: Buffer) => Promise<Buffer> {
    const hashRow = rowHasher(this.#table)
    const readSymbolId = symbolIdReader(this.#table)
    const column_count = this.#table.columns.length
    const by_id = new Map<number, TableSymbol>()
    const symbolOf = (symbol_id: number): TableSymbol => {
      const found = listed.get(symbol_id)
      if (found === undefined) throw new Error(`The symbols table lacks the id ${symbol_id}.`)
      const symbol = { known: this.#symbolOf(found), sums: this.sumsOf(found.exchange).table }
      by_id.set(symbol_id, symbol)
      return symbol
    }
    return async (bytes) => {
      const view = viewOf(bytes)
      const ends: number[] = []
      const keys: number[] = []
      let at = 0
      for (;;) {
        const end = rowEnd(view, at, column_count)
        if (end === undefined) break
        const symbol_id = readSymbolId(view, at)
        const { known, sums } = by_id.get(symbol_id) ?? symbolOf(symbol_id)
        hashRow(sums, known.hash, view, at)
        keys.push(this.#keyOf(known, tsOfRow(view, at)))
        ends.push(end)
        at = end
      }
      await this.#spill.add({ bytes, ends, keys })
      return bytes.subarray(at)
    }
  }

  #keyOf({ index }: KnownSymbol, ts: number): number {
    const slot = Math.floor((ts - this.#hour) / SLOT_US)
    if (slot < 0 || slot >= SLOTS) throw new Error('A row is outside the hour.')
    return index * SLOTS + slot
  }

  #symbolOf(listed: ListedSymbol): KnownSymbol {
    const name = `${listed.exchange} ${listed.symbol}`
    let symbol = this.#by_name.get(name)
    if (symbol === undefined) {
      symbol = { ...listed, index: this.#symbols.length, hash: hashText(listed.symbol) }
      this.#symbols.push(symbol)
      this.#by_name.set(name, symbol)
    }
    return symbol
  }

  /** Joins neighbouring slots of a symbol up to PART_BYTES_MAX. */
  #partKeys(exchange: Exchange): readonly PartKeys[] {
    const by_symbol = Map.groupBy(this.#spill.sizes(), ({ key }) => Math.floor(key / SLOTS))
    return this.#symbols
      .filter((symbol) => symbol.exchange === exchange)
      .toSorted((left, right) => compareText(left.symbol, right.symbol))
      .flatMap(({ symbol, index }) => {
        const parts: { symbol: string; keys: number[]; byte_count: number }[] = []
        const slots = (by_symbol.get(index) ?? []).toSorted((left, right) => left.key - right.key)
        for (const { key, byte_count } of slots) {
          const part = parts.at(-1)
          if (part !== undefined && part.byte_count + byte_count <= PART_BYTES_MAX) {
            part.keys.push(key)
            part.byte_count += byte_count
          } else parts.push({ symbol, keys: [key], byte_count })
        }
        return parts
      })
  }
}

interface PartKeys {
  readonly symbol: string
  readonly keys: readonly number[]
}

function viewOf(bytes: Buffer): DataView {
  return new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength)
}
