/**
 * Events of hftbacktest (github.com/nkaz001/hftbacktest, docs/data.rst): trades and changes of the
 * book in the order of the exchange and in the order of arrival at once. An event that both orders
 * reach together is one record; otherwise it occurs twice, once for each, as correct_event_order
 * does it. Trades come before changes of the book at the same time.
 */
import type { BookChange } from '../../lob/depth-fold.ts'
import type { RowChunk } from '../../columns/row-chunk.ts'
import { type LevelList, pairsOf } from '#core/book.ts'
import type { RecordType } from './npz-file.ts'

const DEPTH_EVENT = 1
const TRADE_EVENT = 2
const DEPTH_CLEAR_EVENT = 3
const DEPTH_SNAPSHOT_EVENT = 4
const EXCH_EVENT = 2 ** 31
const LOCAL_EVENT = 2 ** 30
const BUY_EVENT = 2 ** 29
const SELL_EVENT = 2 ** 28

export const HFT_EVENT: RecordType = {
  name: 'data',
  bytes: 64,
  fields: [
    ['ev', '<u8'],
    ['exch_ts', '<i8'],
    ['local_ts', '<i8'],
    ['px', '<f8'],
    ['qty', '<f8'],
    ['order_id', '<u8'],
    ['ival', '<i8'],
    ['fval', '<f8'],
  ],
}

/** Times in microseconds. */
export interface Events {
  count: number
  readonly ev: Float64Array
  readonly exch_ts: Float64Array
  readonly local_ts: Float64Array
  readonly px: Float64Array
  readonly qty: Float64Array
}

export function tradeEvents(chunk: RowChunk): Events {
  const sold = chunk.flags('is_buyer_maker')
  const count = chunk.row_count
  return {
    count,
    ev: Float64Array.from({ length: count }, (_, row) =>
      sold[row] === 1 ? TRADE_EVENT + SELL_EVENT : TRADE_EVENT + BUY_EVENT,
    ),
    exch_ts: chunk.numbers('ts_exchange'),
    local_ts: chunk.numbers('ts_ingest'),
    px: chunk.numbers('price'),
    qty: chunk.numbers('qty'),
  }
}

/**
 * A snapshot clears each side down to the worst level that follows, as hftbacktest's own converters
 * do.
 */
export class DepthEvents {
  #events = emptyEvents(4_096)

  get count(): number {
    return this.#events.count
  }

  add(change: BookChange): void {
    this.#addSide(change, BUY_EVENT, change.bids)
    this.#addSide(change, SELL_EVENT, change.asks)
  }

  take(): Events {
    const taken = this.#events
    this.#events = emptyEvents(taken.ev.length)
    return taken
  }

  #addSide({ ts, ts_ingest, is_snapshot }: BookChange, side: number, levels: LevelList): void {
    const pairs = pairsOf(levels)
    if (is_snapshot && pairs.length > 0) {
      this.#add(DEPTH_CLEAR_EVENT + side, ts, ts_ingest, pairs.at(-1)![0], 0)
    }
    const ev = (is_snapshot ? DEPTH_SNAPSHOT_EVENT : DEPTH_EVENT) + side
    for (const [price, qty] of pairs) this.#add(ev, ts, ts_ingest, price, qty)
  }

  #add(ev: number, ts: number, ts_ingest: number, price: number, qty: number): void {
    if (this.#events.count === this.#events.ev.length) this.#events = doubled(this.#events)
    const events = this.#events
    const row = events.count++
    events.ev[row] = ev
    events.exch_ts[row] = ts
    events.local_ts[row] = ts_ingest
    events.px[row] = price
    events.qty[row] = qty
  }
}

export interface EventSources {
  /** In the order of the exchange's time. */
  readonly trades: AsyncIterable<Events>
  /** The same trades in the order of arrival. */
  readonly trades_arrived: AsyncIterable<Events>
  /** Read twice. In both orders. */
  readonly depth: () => AsyncIterable<Events>
  /** Added to every arrival, so that none is before its exchange's time [us]. */
  readonly offset_us: number
}

/** Records in batches of some thousands. */
export async function* hftRecords(sources: EventSources): AsyncGenerator<Uint8Array> {
  const { trades, trades_arrived, depth, offset_us } = sources
  const exch = new Merge('exch_ts', new Cursor(trades), new Cursor(depth()))
  const local = new Merge('local_ts', new Cursor(trades_arrived), new Cursor(depth()))
  const records = new Records(offset_us)
  for (;;) {
    if (exch.needs_rows) await exch.fill()
    if (local.needs_rows) await local.fill()
    const [e, l] = [exch.head, local.head]
    if (e === undefined && l === undefined) break
    if (e !== undefined && l !== undefined && isSame(e, l)) {
      records.add(e, EXCH_EVENT + LOCAL_EVENT)
      exch.advance()
      local.advance()
    } else if (e !== undefined && (l === undefined || isBefore(e, l))) {
      records.add(e, EXCH_EVENT)
      exch.advance()
    } else {
      records.add(l!, LOCAL_EVENT)
      local.advance()
    }
    if (records.is_full) yield records.take()
  }
  yield records.take()
}

/** The next event of a stream. Its number is its place in the stream, whatever the order. */
interface Head {
  readonly is_depth: boolean
  readonly events: Events
  readonly row: number
}

function isSame(a: Head, b: Head): boolean {
  return a.is_depth === b.is_depth && areEqual(a, b)
}

function areEqual(a: Head, b: Head): boolean {
  return (
    a.events.exch_ts[a.row] === b.events.exch_ts[b.row] &&
    a.events.local_ts[a.row] === b.events.local_ts[b.row] &&
    a.events.ev[a.row] === b.events.ev[b.row] &&
    a.events.px[a.row] === b.events.px[b.row] &&
    a.events.qty[a.row] === b.events.qty[b.row]
  )
}

/** Whether the exchange's next event comes before the next arrival. */
function isBefore(e: Head, l: Head): boolean {
  const [of_e, of_l] = [e.events.exch_ts[e.row]!, l.events.exch_ts[l.row]!]
  if (of_e !== of_l) return of_e < of_l
  return e.events.local_ts[e.row]! <= l.events.local_ts[l.row]!
}

class Cursor {
  readonly #batches: AsyncIterator<Events>
  events: Events | undefined
  row = 0
  is_done = false

  constructor(batches: AsyncIterable<Events>) {
    this.#batches = batches[Symbol.asyncIterator]()
  }

  get needs_rows(): boolean {
    return !this.is_done && (this.events === undefined || this.row === this.events.count)
  }

  async fill(): Promise<void> {
    while (this.needs_rows) {
      const { value, done } = await this.#batches.next()
      if (done === true) this.is_done = true
      this.events = done === true ? undefined : value
      this.row = 0
    }
  }
}

class Merge {
  readonly #time: 'exch_ts' | 'local_ts'
  readonly #trades: Cursor
  readonly #depth: Cursor

  constructor(time: 'exch_ts' | 'local_ts', trades: Cursor, depth: Cursor) {
    this.#time = time
    this.#trades = trades
    this.#depth = depth
  }

  get needs_rows(): boolean {
    return this.#trades.needs_rows || this.#depth.needs_rows
  }

  async fill(): Promise<void> {
    await this.#trades.fill()
    await this.#depth.fill()
  }

  get head(): Head | undefined {
    const [trades, depth] = [this.#trades, this.#depth]
    if (trades.events === undefined && depth.events === undefined) return undefined
    const is_depth =
      trades.events === undefined ||
      (depth.events !== undefined &&
        depth.events[this.#time][depth.row]! < trades.events[this.#time][trades.row]!)
    const { events, row } = is_depth ? depth : trades
    return { is_depth, events: events!, row }
  }

  advance(): void {
    if (this.head!.is_depth) this.#depth.row += 1
    else this.#trades.row += 1
  }
}

const BATCH = 8_192

class Records {
  readonly #offset_us: number
  readonly #bytes = new Uint8Array(BATCH * HFT_EVENT.bytes)
  readonly #view = new DataView(this.#bytes.buffer)
  #count = 0

  constructor(offset_us: number) {
    this.#offset_us = offset_us
  }

  get is_full(): boolean {
    return this.#count === BATCH
  }

  /** Times in nanoseconds. */
  add({ events, row }: Head, flags: number): void {
    const at = this.#count++ * HFT_EVENT.bytes
    const view = this.#view
    view.setBigUint64(at, BigInt(events.ev[row]! + flags), true)
    view.setBigInt64(at + 8, BigInt(events.exch_ts[row]!) * 1_000n, true)
    view.setBigInt64(at + 16, BigInt(events.local_ts[row]! + this.#offset_us) * 1_000n, true)
    view.setFloat64(at + 24, events.px[row]!, true)
    view.setFloat64(at + 32, events.qty[row]!, true)
  }

  take(): Uint8Array {
    const taken = this.#bytes.slice(0, this.#count * HFT_EVENT.bytes)
    this.#count = 0
    return taken
  }
}

function emptyEvents(capacity: number): Events {
  const column = (): Float64Array => new Float64Array(capacity)
  return {
    count: 0,
    ev: column(),
    exch_ts: column(),
    local_ts: column(),
    px: column(),
    qty: column(),
  }
}

function doubled(events: Events): Events {
  const grown = emptyEvents(events.ev.length * 2)
  for (const name of ['ev', 'exch_ts', 'local_ts', 'px', 'qty'] as const) {
    grown[name].set(events[name])
  }
  grown.count = events.count
  return grown
}
