/**
 * Builds the files of `depth` for chosen symbols: the table, Tardis' CSV of the book, and the forms
 * of hftbacktest and nautilus_trader, which hold trades and quotes too. Memory holds one part of
 * one symbol.
 */
import { join } from 'node:path'
import type { DatasetFile } from '#core/dataset.ts'
import { type Day, dayRange } from '#core/time.ts'
import { inArrivalOrder } from '../../columns/arrival-order.ts'
import type { RowChunk } from '../../columns/row-chunk.ts'
import { type DaySymbol, gapsOf } from '../../day/events.ts'
import { exchangeDays } from '../../day/exchange-day.ts'
import { DEPTH } from '../../lob/depth-columns.ts'
import { type BookChange, DepthFold } from '../../lob/depth-fold.ts'
import { type DepthRows, DepthRowsWriter } from '../../lob/depth-rows.ts'
import { DepthEvents, type Events, HFT_EVENT, hftRecords, tradeEvents } from '../backtest/events.ts'
import { createSpool, type EventSpool } from '../backtest/event-spool.ts'
import { NautilusDay } from '../backtest/nautilus-day.ts'
import { createNpz } from '../backtest/npz-file.ts'
import { createDayFiles } from '../files/day-files.ts'
import { describeFile } from '../files/describe-file.ts'
import { namesOf, placesOf } from '../files/names.ts'
import { encodePart, type PartBytes } from '../files/part.ts'
import { incrementalLines, SnapshotLines } from '../tardis/book-csv.ts'
import { createCsvFile } from '../tardis/csv-file.ts'
import { TARDIS_EXCHANGES, TARDIS_HEADERS, tardisFileName } from '../tardis/csv.ts'
import type { MarketOptions, MarketSet } from './market-set.ts'
import { depthSummary } from './depth-summary.ts'

export interface DepthOptions extends Omit<MarketOptions, 'traded_before' | 'is_complete'> {
  readonly depth_symbols: readonly string[]
}

/** With 7 columns of doubles: 4 MB. */
const PART_ROWS = 65_536
const TRADE_NUMBERS = ['ts_exchange', 'ts_ingest', 'agg_trade_id', 'price', 'qty']
const QUOTE_NUMBERS = [
  'ts_exchange',
  'ts_ingest',
  'update_id',
  'best_bid',
  'bid_qty',
  'best_ask',
  'ask_qty',
]

/** Undefined if none of the symbols is in the day. */
export async function buildDepth(options: DepthOptions): Promise<MarketSet | undefined> {
  const { day, dir: work_dir, date, depth_symbols } = options
  const chosen = day.symbols.filter(({ symbol }) => depth_symbols.includes(symbol))
  if (chosen.length === 0) return undefined
  const dir = join(work_dir, DEPTH.dataset)
  const names = namesOf(chosen)
  const table = await createDayFiles(dir, DEPTH, names, date)
  const exchange_days = exchangeDays(day.symbols, dayRange(date).from)
  const described: DatasetFile[] = []
  const summaries: MarketSet['summaries'][number][] = []
  try {
    for (const symbol of chosen) {
      const build = new SymbolDepth(options, dir, symbol)
      const parts: PartBytes[] = []
      const places = placesOf(names, symbol)
      const counts = await build.writeBook((rows) => {
        const { ts, ...columns } = rows
        const name = { exchange: symbol.exchange, symbol: symbol.symbol }
        const times = BigInt64Array.from(ts, BigInt)
        parts.push(encodePart(DEPTH.columns, { ...name, ts: times, columns }, places))
      })
      // A row group cannot be empty.
      if (parts.length > 0) await table.write(symbol, parts)
      const record_count = await build.writeEvents()
      described.push(...(await build.describe(counts, record_count)))
      const exchange_day = exchange_days.get(symbol.exchange)!
      const summary = depthSummary(symbol, exchange_day, counts.change_count)
      const rows = { channel: 'depth_events', row_count: counts.row_count } as const
      summaries.push({ summary, rows })
    }
    const files = await table.finish(summaries.map(({ summary }) => summary))
    const row_count = summaries.reduce((sum, { rows }) => sum + rows.row_count, 0)
    return { ...DEPTH, dir, row_count, files: [...files, ...described], summaries }
  } finally {
    await table.close()
  }
}

interface BookCounts {
  readonly row_count: number
  readonly change_count: number
  readonly snapshot_count: number
  readonly nautilus_count: number
}

/** One symbol's files. */
class SymbolDepth {
  readonly #options: DepthOptions
  readonly #dir: string
  readonly #symbol: DaySymbol
  readonly #date: Day

  constructor(options: DepthOptions, dir: string, symbol: DaySymbol) {
    this.#options = options
    this.#dir = dir
    this.#symbol = symbol
    this.#date = options.date
  }

  /** One pass over the depth: the table's parts, both CSV files, and nautilus' catalogue. */
  async writeBook(onPart: (rows: DepthRows) => void): Promise<BookCounts> {
    const { exchange, symbol } = this.#symbol
    const incremental = this.#csv('incremental_book_L2')
    const snapshots = this.#csv('book_snapshot_25')
    const nautilus = await NautilusDay.create(this.#path('nautilus', 'tar'), exchange, symbol)
    const rows = new DepthRowsWriter()
    const lines = new SnapshotLines(exchange, symbol)
    // What leaves depends on the rows alone, not on the chunks that they come in.
    const parts: DepthRows[] = []
    const texts: Uint8Array[] = []
    let [row_count, change_count] = [0, 0]
    const onChange = (change: BookChange): void => {
      change_count += 1
      rows.add(change)
      lines.add(change)
      if (rows.row_count >= PART_ROWS) parts.push(rows.take())
      if (lines.is_full) texts.push(lines.take())
    }
    const leave = async (): Promise<void> => {
      for (const part of parts.splice(0)) {
        row_count += part.ts.length
        onPart(part)
        await nautilus.addDepth(part)
        for (const text of incrementalLines(exchange, symbol, part)) await incremental.write(text)
      }
      for (const text of texts.splice(0)) await snapshots.write(text)
    }
    try {
      for await (const _ of this.#changes(onChange)) await leave()
      if (rows.row_count > 0) parts.push(rows.take())
      texts.push(lines.take())
      await leave()
      for await (const chunk of this.#arrived('book_ticker')) await nautilus.addQuotes(chunk)
      for await (const chunk of this.#arrived('trades')) await nautilus.addTrades(chunk)
      await incremental.finish()
      await snapshots.finish()
      await nautilus.finish()
      const nautilus_count = nautilus.row_count
      return { row_count, change_count, snapshot_count: lines.row_count, nautilus_count }
    } finally {
      await incremental.close()
      await snapshots.close()
      await nautilus.close()
    }
  }

  /** hftbacktest's file. Returns the number of records. */
  async writeEvents(): Promise<number> {
    const path = this.#path('hftbacktest', 'npz')
    const file = await createNpz(path, HFT_EVENT)
    const spools: EventSpool[] = []
    const spooled = async (name: string, events: AsyncIterable<Events>): Promise<EventSpool> => {
      const spool = await createSpool(`${path}.${name}`)
      spools.push(spool)
      for await (const batch of events) await spool.write(batch)
      return spool
    }
    try {
      const offset_us = Math.max(0, -(await this.#latencyMin()))
      const depth = await spooled('depth', this.#depthEvents())
      const trades = await spooled('trades', eventsOf(this.#tradeRows()))
      const arrived = await spooled('arrived', eventsOf(this.#arrived('trades')))
      let byte_count = 0
      for await (const records of hftRecords({
        trades: trades.read(),
        trades_arrived: arrived.read(),
        depth: () => depth.read(),
        offset_us,
      })) {
        this.#options.signal.throwIfAborted()
        byte_count += records.length
        await file.write(records)
      }
      await file.finish()
      return byte_count / HFT_EVENT.bytes
    } finally {
      await file.close()
      for (const spool of spools) await spool.close()
    }
  }

  async describe(counts: BookCounts, record_count: number): Promise<readonly DatasetFile[]> {
    const of = (path: string, format: DatasetFile['format'], count: number): Promise<DatasetFile> =>
      describeFile(this.#dir, path.slice(this.#dir.length + 1), format, count)
    return [
      await of(this.#csvPath('incremental_book_L2'), 'csv.gz', counts.row_count),
      await of(this.#csvPath('book_snapshot_25'), 'csv.gz', counts.snapshot_count),
      await of(this.#path('hftbacktest', 'npz'), 'npz', record_count),
      await of(this.#path('nautilus', 'tar'), 'tar', counts.nautilus_count),
    ]
  }

  /** Feeds a fold; yields after each chunk. */
  async *#changes(onChange: (change: BookChange) => void): AsyncGenerator<void> {
    const { day, date, signal } = this.#options
    const { from } = dayRange(date)
    const fold = new DepthFold(from, gapsOf(this.#symbol, 'depth_events'), onChange)
    for await (const rows of day.reader.arrivedDepth(this.#symbol)) {
      signal.throwIfAborted()
      fold.add(rows)
      yield
    }
    fold.finish()
    yield
  }

  async *#depthEvents(): AsyncGenerator<Events> {
    const events = new DepthEvents()
    for await (const _ of this.#changes((change) => events.add(change))) {
      if (events.count > 0) yield events.take()
    }
  }

  /** Arrival minus exchange's time over all messages; 0 without any [us]. */
  async #latencyMin(): Promise<number> {
    let least = Infinity
    for (const channel of ['trades', 'depth_events'] as const) {
      for await (const chunk of this.#rows(channel, ['ts_exchange', 'ts_ingest'], false)) {
        const [ts, arrived] = [chunk.numbers('ts_exchange'), chunk.numbers('ts_ingest')]
        for (let row = 0; row < chunk.row_count; row++) {
          least = Math.min(least, arrived[row]! - ts[row]!)
        }
      }
    }
    return least === Infinity ? 0 : least
  }

  #arrived(channel: 'book_ticker' | 'trades'): AsyncIterable<RowChunk> {
    const numbers = channel === 'trades' ? TRADE_NUMBERS : QUOTE_NUMBERS
    const flags = channel === 'trades' ? ['is_buyer_maker'] : []
    return inArrivalOrder(
      this.#rows(channel, numbers, channel === 'trades'),
      this.#rows(channel, ['ts_ingest'], false),
      { arrival: 'ts_ingest', numbers, flags },
    )
  }

  async *#rows(
    channel: 'book_ticker' | 'trades' | 'depth_events',
    numbers: readonly string[],
    with_side: boolean,
  ): AsyncGenerator<RowChunk> {
    if (!this.#symbol.channels.includes(channel)) return
    const columns = with_side ? [...numbers, 'is_buyer_maker'] : numbers
    yield* this.#options.day.reader.rows(this.#symbol, channel, columns)
  }

  #tradeRows(): AsyncIterable<RowChunk> {
    return this.#rows('trades', TRADE_NUMBERS, true)
  }

  #csvPath(kind: 'incremental_book_L2' | 'book_snapshot_25'): string {
    const { exchange, symbol } = this.#symbol
    return join(this.#dir, tardisFileName(kind, exchange, this.#date, symbol))
  }

  #csv(kind: 'incremental_book_L2' | 'book_snapshot_25'): ReturnType<typeof createCsvFile> {
    return createCsvFile(this.#csvPath(kind), TARDIS_HEADERS[kind])
  }

  #path(form: string, ending: string): string {
    const { exchange, symbol } = this.#symbol
    return join(
      this.#dir,
      `${TARDIS_EXCHANGES[exchange]}_${form}_${this.#date}_${symbol}.${ending}`,
    )
  }
}

async function* eventsOf(chunks: AsyncIterable<RowChunk>): AsyncGenerator<Events> {
  for await (const chunk of chunks) yield tradeEvents(chunk)
}
