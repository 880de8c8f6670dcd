/** Lines of Tardis' incremental_book_L2 and book_snapshot_25, from changes of a known book. */
import type { OrderBook } from '#core/book.ts'
import type { Exchange } from '#core/symbols.ts'
import type { BookChange } from '../../lob/depth-fold.ts'
import type { DepthRows } from '../../lob/depth-rows.ts'
import { SNAPSHOT_LEVELS, TARDIS_EXCHANGES } from './csv.ts'
import { LineBuffer } from './line-buffer.ts'

const COMMA = 44
const LINE_END = 10
const LINES_MAX = 4_096
/** The longest double has 326 characters. */
const NUMBER_BYTES_MAX = 327
const SIDES = [Buffer.from('ask,'), Buffer.from('bid,')] as const
const KINDS = [Buffer.from('false,'), Buffer.from('true,')] as const

/** Of rows [from, to), in batches of some thousands. */
export function* incrementalLines(
  exchange: Exchange,
  symbol: string,
  rows: DepthRows,
): Generator<Uint8Array> {
  const head = headOf(exchange, symbol)
  const lines = new LineBuffer(LINES_MAX * (head.length + 60 + 2 * NUMBER_BYTES_MAX))
  for (let from = 0; from < rows.ts.length; from += LINES_MAX) {
    const to = Math.min(rows.ts.length, from + LINES_MAX)
    for (let row = from; row < to; row++) {
      addTimes(lines, head, rows.ts[row]!, rows.ts_ingest[row]!)
      lines.add(KINDS[rows.depth_kind[row] as 0 | 1])
      lines.add(SIDES[rows.side[row] as 0 | 1])
      lines.addDecimal(rows.price[row]!)
      lines.addByte(COMMA)
      lines.addDecimal(rows.qty[row]!)
      lines.addByte(LINE_END)
    }
    yield lines.take()
  }
}

/** A line for each change of the best 25 levels. */
export class SnapshotLines {
  readonly #head: Buffer
  readonly #lines: LineBuffer
  readonly #levels = new Float64Array(4 * SNAPSHOT_LEVELS)
  #count = 0
  /** Lines since the beginning. */
  row_count = 0

  constructor(exchange: Exchange, symbol: string) {
    this.#head = headOf(exchange, symbol)
    const line = this.#head.length + 40 + 4 * SNAPSHOT_LEVELS * NUMBER_BYTES_MAX
    this.#lines = new LineBuffer(LINES_PER_TAKE * line)
  }

  get is_full(): boolean {
    return this.#count === LINES_PER_TAKE
  }

  add({ ts, ts_ingest, book, is_snapshot }: BookChange): void {
    if (!this.#isChanged(book) && !is_snapshot) return
    this.#count += 1
    this.row_count += 1
    addTimes(this.#lines, this.#head, ts, ts_ingest)
    for (const [i, value] of this.#levels.entries()) {
      if (i > 0) this.#lines.addByte(COMMA)
      this.#lines.addDecimal(value)
    }
    this.#lines.addByte(LINE_END)
  }

  take(): Uint8Array {
    this.#count = 0
    return this.#lines.take()
  }

  /** Takes over the levels: ask and bid of level 1, then of level 2; NaN for a missing one. */
  #isChanged({ asks, bids }: OrderBook): boolean {
    let is_changed = false
    for (let rank = 0, at = 0; rank < SNAPSHOT_LEVELS; rank++) {
      for (const side of [asks, bids]) {
        for (const value of [side.priceAt(rank), side.qtyAt(rank)]) {
          if (!Object.is(this.#levels[at], value)) is_changed = true
          this.#levels[at++] = value
        }
      }
    }
    return is_changed
  }
}

/** 8 MB of room, of which a line usually takes a fortieth. */
const LINES_PER_TAKE = 256

function headOf(exchange: Exchange, symbol: string): Buffer {
  return Buffer.from(`${TARDIS_EXCHANGES[exchange]},${symbol},`)
}

function addTimes(lines: LineBuffer, head: Buffer, ts: number, ts_ingest: number): void {
  lines.add(head)
  lines.addWhole(ts)
  lines.addByte(COMMA)
  lines.addWhole(ts_ingest)
  lines.addByte(COMMA)
}
