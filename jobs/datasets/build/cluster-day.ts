/**
 * Writes the dataset `clusters` of a day. Memory holds an hour of one symbol, and its encoded day.
 */
import { join } from 'node:path'
import { BaseFold } from '#core/clusters/base.ts'
import { type Day, hourStart, micros, type Micros } from '#core/time.ts'
import { cellRowsOf } from '../../clusters/cell-rows.ts'
import { CLUSTERS } from '../../clusters/columns.ts'
import type { RowChunk } from '../../columns/row-chunk.ts'
import type { SymbolSummary } from '../../day/coverage.ts'
import type { DaySymbol } from '../../day/events.ts'
import { createDayFiles, type DayFiles } from '../files/day-files.ts'
import { namesOf, placesOf } from '../files/names.ts'
import { encodePart, type PartBytes } from '../files/part.ts'
import type { NameLists } from '../files/parts-arrow.ts'
import type { MarketSet } from './market-set.ts'

export class ClusterDay {
  readonly #files: DayFiles
  readonly #names: NameLists
  readonly #row_counts: number[] = []
  readonly #fold = new BaseFold()
  #parts: PartBytes[] = []
  /** Of the trades in the fold. */
  #hour: Micros | undefined

  private constructor(files: DayFiles, names: NameLists) {
    this.#files = files
    this.#names = names
  }

  static async create(dir: string, symbols: readonly DaySymbol[], date: Day): Promise<ClusterDay> {
    const names = namesOf(symbols)
    const files = await createDayFiles(join(dir, CLUSTERS.dataset), CLUSTERS, names, date)
    return new ClusterDay(files, names)
  }

  /** Trades of one symbol, in order. A chunk may end in the middle of an hour. */
  add(symbol: DaySymbol, chunk: RowChunk): void {
    const ts_exchange = chunk.numbers('ts_exchange')
    const price = chunk.numbers('price')
    const qty = chunk.numbers('qty')
    const is_buyer_maker = chunk.flags('is_buyer_maker')
    const hourAt = (row: number): Micros => hourStart(micros(ts_exchange[row]!))
    for (let from = 0, to = 0; from < chunk.row_count; from = to) {
      const hour = hourAt(from)
      while (to < chunk.row_count && hourAt(to) === hour) to++
      if (hour !== this.#hour) this.#endHour(symbol)
      this.#hour = hour
      this.#fold.add({
        row_count: to - from,
        ts_exchange: ts_exchange.subarray(from, to),
        price: price.subarray(from, to),
        qty: qty.subarray(from, to),
        is_buyer_maker: is_buyer_maker.subarray(from, to),
      })
    }
  }

  /** Once per symbol of the day, in its order. A symbol without trades has no rows. */
  async finishSymbol(symbol: DaySymbol): Promise<void> {
    this.#endHour(symbol)
    this.#hour = undefined
    const parts = this.#parts
    this.#parts = []
    if (parts.length > 0) await this.#files.write(symbol, parts)
    this.#row_counts.push(parts.reduce((sum, { row_count }) => sum + row_count, 0))
  }

  async finish(summaries: readonly SymbolSummary[]): Promise<MarketSet> {
    return {
      ...CLUSTERS,
      dir: this.#files.dir,
      row_count: this.#row_counts.reduce((sum, count) => sum + count, 0),
      files: await this.#files.finish(summaries),
      summaries: summaries.map((summary, i) => ({
        summary,
        rows: { channel: 'trades', row_count: this.#row_counts[i]! },
      })),
    }
  }

  close(): Promise<void> {
    return this.#files.close()
  }

  #endHour(symbol: DaySymbol): void {
    const rows = cellRowsOf(this.#fold.take())
    if (rows.ts.length === 0) return
    const { exchange, symbol: name } = symbol
    const places = placesOf(this.#names, symbol)
    this.#parts.push(encodePart(CLUSTERS.columns, { exchange, symbol: name, ...rows }, places))
  }
}
