/**
 * A symbol's day for nautilus_trader's ParquetDataCatalog: quotes, trades and order book deltas in
 * the order of ts_init, as one tar that is unpacked into the catalogue's folder.
 */
import { rm } from 'node:fs/promises'
import type { Exchange } from '#core/symbols.ts'
import { decimalOf } from '#core/decimals.ts'
import { toIso, micros } from '#core/time.ts'
import type { RowChunk } from '../../columns/row-chunk.ts'
import type { DepthRows } from '../../lob/depth-rows.ts'
import { createNautilusFile, type NautilusFile, type NautilusRows } from './nautilus-file.ts'
import { type TarEntry, writeTar } from './tar-file.ts'

const QUOTES = {
  bid_price: 'fixed',
  ask_price: 'fixed',
  bid_size: 'fixed',
  ask_size: 'fixed',
  ts_event: 'nanos',
  ts_init: 'nanos',
} as const
const TRADES = {
  price: 'fixed',
  size: 'fixed',
  aggressor_side: 'u8',
  trade_id: 'text',
  ts_event: 'nanos',
  ts_init: 'nanos',
} as const
const DELTAS = {
  action: 'u8',
  side: 'u8',
  price: 'fixed',
  size: 'fixed',
  order_id: 'u64',
  flags: 'u8',
  sequence: 'u64',
  ts_event: 'nanos',
  ts_init: 'nanos',
} as const
/** Folders of ParquetDataCatalog. */
const KINDS = { quote_tick: QUOTES, trade_tick: TRADES, order_book_deltas: DELTAS } as const
type Kind = keyof typeof KINDS

const AGGRESSOR = { buyer: 1, seller: 2 } as const
const ACTION = { add: 1, update: 2, delete: 3, clear: 4 } as const
const BOOK_SIDE = { none: 0, buy: 1, sell: 2 } as const
const F_LAST = 128
const F_SNAPSHOT = 32

/** Nautilus' names: USD-M perpetuals of Binance and linear ones of Bybit have a suffix. */
export function instrumentId(exchange: Exchange, symbol: string): string {
  switch (exchange) {
    case 'binance-futures':
      return `${symbol}-PERP.BINANCE`
    case 'binance-spot':
      return `${symbol}.BINANCE`
    case 'bybit-linear':
      return `${symbol}-LINEAR.BYBIT`
    case 'deribit':
      return `${symbol}.DERIBIT`
  }
}

export class NautilusDay {
  readonly #path: string
  readonly #instrument: string
  readonly #files: ReadonlyMap<Kind, OpenFile>
  #price_digits = 0
  #size_digits = 0

  private constructor(path: string, instrument: string, files: ReadonlyMap<Kind, OpenFile>) {
    this.#path = path
    this.#instrument = instrument
    this.#files = files
  }

  static async create(path: string, exchange: Exchange, symbol: string): Promise<NautilusDay> {
    const files = new Map<Kind, OpenFile>()
    for (const kind of Object.keys(KINDS) as Kind[]) {
      const own = `${path}.${kind}`
      const file = await createNautilusFile(own, KINDS[kind])
      files.set(kind, { path: own, file, first: undefined, last: undefined, row_count: 0 })
    }
    return new NautilusDay(path, instrumentId(exchange, symbol), files)
  }

  get row_count(): number {
    return [...this.#files.values()].reduce((sum, { row_count }) => sum + row_count, 0)
  }

  /** In the order of arrival. A quote with an empty side is left out: a QuoteTick has both. */
  async addQuotes(chunk: RowChunk): Promise<void> {
    const of = (name: string): Float64Array => chunk.numbers(name)
    const [bid, ask] = [of('best_bid'), of('best_ask')]
    const rows = Array.from({ length: chunk.row_count }, (_, row) => row).filter(
      (row) => !Number.isNaN(bid[row]! + ask[row]!),
    )
    const picked = (name: string): Float64Array => {
      const values = of(name)
      return Float64Array.from(rows, (row) => values[row]!)
    }
    const fixed = {
      bid_price: this.#prices(picked('best_bid')),
      ask_price: this.#prices(picked('best_ask')),
      bid_size: this.#sizes(picked('bid_qty')),
      ask_size: this.#sizes(picked('ask_qty')),
    }
    await this.#write('quote_tick', picked('ts_exchange'), picked('ts_ingest'), fixed)
  }

  /** In the order of arrival. */
  async addTrades(chunk: RowChunk): Promise<void> {
    const of = (name: string): Float64Array => chunk.numbers(name).subarray(0, chunk.row_count)
    const sold = chunk.flags('is_buyer_maker').subarray(0, chunk.row_count)
    const side = Float64Array.from(sold, (one) => (one === 1 ? AGGRESSOR.seller : AGGRESSOR.buyer))
    await this.#write('trade_tick', of('ts_exchange'), of('ts_ingest'), {
      price: this.#prices(of('price')),
      size: this.#sizes(of('qty')),
      aggressor_side: { type: 'u8', values: side },
      trade_id: { type: 'text', values: Array.from(of('agg_trade_id'), String) },
    })
  }

  /** Whole changes of the book. A snapshot begins with a delta that clears the book. */
  async addDepth(rows: DepthRows): Promise<void> {
    const count = rows.ts.length
    const isFirst = (row: number): boolean =>
      row === 0 ||
      rows.update_id[row] !== rows.update_id[row - 1] ||
      rows.ts[row] !== rows.ts[row - 1]
    const [places, clears]: [number[], boolean[]] = [[], []]
    for (let row = 0; row < count; row++) {
      if (rows.depth_kind[row] === 1 && isFirst(row)) {
        places.push(row)
        clears.push(true)
      }
      places.push(row)
      clears.push(false)
    }
    const column = (value: (row: number, clear: boolean) => number): Float64Array =>
      Float64Array.from(places, (row, i) => value(row, clears[i]!))
    const action = (row: number): number => {
      if (rows.depth_kind[row] === 1) return ACTION.add
      return rows.qty[row] === 0 ? ACTION.delete : ACTION.update
    }
    const isLast = (row: number): boolean => row + 1 === count || isFirst(row + 1)
    const nothing = new Float64Array(places.length)
    await this.#write(
      'order_book_deltas',
      column((row) => rows.ts[row]!),
      column((row) => rows.ts_ingest[row]!),
      {
        action: {
          type: 'u8',
          values: column((row, clear) => (clear ? ACTION.clear : action(row))),
        },
        side: {
          type: 'u8',
          values: column((row, clear) => {
            if (clear) return BOOK_SIDE.none
            return rows.side[row] === 1 ? BOOK_SIDE.buy : BOOK_SIDE.sell
          }),
        },
        price: this.#prices(column((row, clear) => (clear ? 0 : rows.price[row]!))),
        size: this.#sizes(column((row, clear) => (clear ? 0 : rows.qty[row]!))),
        order_id: { type: 'u64', values: nothing },
        flags: {
          type: 'u8',
          values: column(
            (row, clear) =>
              (rows.depth_kind[row] === 1 ? F_SNAPSHOT : 0) + (!clear && isLast(row) ? F_LAST : 0),
          ),
        },
        sequence: { type: 'u64', values: column((row) => rows.update_id[row]!) },
      },
    )
  }

  /** Writes the tar. A kind without rows has no file in it. */
  async finish(): Promise<void> {
    const entries: TarEntry[] = []
    for (const [kind, { path, file, first, last }] of this.#files) {
      await file.finish({
        instrument_id: this.#instrument,
        price_precision: String(this.#price_digits),
        size_precision: String(this.#size_digits),
      })
      if (first === undefined || last === undefined) continue
      const name = `${fileTime(first)}_${fileTime(last)}.parquet`
      entries.push({ path, name: `data/${kind}/${this.#instrument}/${name}` })
    }
    await writeTar(this.#path, entries)
  }

  /** Call after finish(), or to abandon the day. */
  async close(): Promise<void> {
    for (const { path, file } of this.#files.values()) {
      await file.close()
      await rm(path, { force: true })
    }
  }

  async #write(
    kind: Kind,
    ts_event: Float64Array,
    ts_init: Float64Array,
    others: NautilusRows,
  ): Promise<void> {
    const count = ts_init.length
    if (count === 0) return
    const open = this.#files.get(kind)!
    open.first ??= ts_init[0]!
    open.last = ts_init[count - 1]!
    open.row_count += count
    await open.file.write({
      ...others,
      ts_event: { type: 'nanos', values: ts_event },
      ts_init: { type: 'nanos', values: ts_init },
    })
  }

  #prices(values: Float64Array): NautilusRows[string] {
    this.#price_digits = Math.max(this.#price_digits, digitsOf(values))
    return { type: 'fixed', values }
  }

  #sizes(values: Float64Array): NautilusRows[string] {
    this.#size_digits = Math.max(this.#size_digits, digitsOf(values))
    return { type: 'fixed', values }
  }
}

interface OpenFile {
  readonly path: string
  readonly file: NautilusFile
  /** First and last ts_init [us]. */
  first: number | undefined
  last: number | undefined
  row_count: number
}

function digitsOf(values: Float64Array): number {
  let digits = 0
  for (const value of values) digits = Math.max(digits, decimalOf(value).digits)
  return digits
}

/** 2024-08-08T00-00-00-123456000Z */
function fileTime(ts: number): string {
  return `${toIso(micros(ts)).replace('Z', '000Z').replaceAll(/[:.]/g, '-')}`
}
