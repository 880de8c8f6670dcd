/** Writes trades or quotes of a day: one Parquet file, and one CSV file per symbol. */
import { mkdir } from 'node:fs/promises'
import { join } from 'node:path'
import type { Day } from '#core/time.ts'
import { ArrivalOrder, arrivalsOf, type OrderColumns } from '../../columns/arrival-order.ts'
import type { RowChunk } from '../../columns/row-chunk.ts'
import type { SymbolSummary } from '../../day/coverage.ts'
import type { DaySymbol } from '../../day/events.ts'
import type { FileIdentity } from '../../parquet/identity.ts'
import { writeCoverage } from '../files/coverage.ts'
import { describeFile } from '../files/describe-file.ts'
import { createCsvFile } from '../tardis/csv-file.ts'
import { TARDIS_HEADERS, tardisFileName, tardisLines } from '../tardis/csv.ts'
import type { MarketOptions, MarketSet } from './market-set.ts'
import { createRawFile, type RawFile } from './raw-file.ts'
import type { RawSet } from './raw-sets.ts'

export class RawDay {
  readonly #set: RawSet
  readonly #dir: string
  readonly #date: Day
  readonly #parquet: RawFile
  readonly #csv_files: { readonly name: string; readonly row_count: number }[] = []
  readonly #row_counts: number[] = []

  private constructor(set: RawSet, dir: string, date: Day, parquet: RawFile) {
    this.#set = set
    this.#dir = dir
    this.#date = date
    this.#parquet = parquet
  }

  static async create(dir: string, set: RawSet, date: Day): Promise<RawDay> {
    const own_dir = join(dir, set.dataset)
    await mkdir(own_dir, { recursive: true })
    const path = join(own_dir, `${set.dataset}.parquet`)
    return new RawDay(set, own_dir, date, await createRawFile(path, set, identityOf(set, date)))
  }

  /** Returns the number of rows. */
  async addSymbol(
    { day, signal }: MarketOptions,
    symbol: DaySymbol,
    onChunk?: (chunk: RowChunk) => void,
  ): Promise<number> {
    const { dataset, source, recorded } = this.#set
    if (!symbol.channels.includes(source)) {
      this.#row_counts.push(0)
      return 0
    }
    const name = tardisFileName(dataset, symbol.exchange, this.#date, symbol.symbol)
    const csv = createCsvFile(join(this.#dir, name), TARDIS_HEADERS[dataset])
    const arrivals = await arrivalsOf(day.reader.rows(symbol, source, [ARRIVAL]), ARRIVAL)
    const order = new ArrivalOrder(orderColumns(this.#set), arrivals)
    let row_count = 0
    try {
      for await (const chunk of day.reader.rows(symbol, source, recorded)) {
        signal.throwIfAborted()
        onChunk?.(chunk)
        await this.#parquet.add(symbol, chunk)
        const arrived = order.push(chunk)
        for (const lines of tardisLines(dataset, symbol.exchange, symbol.symbol, arrived)) {
          await csv.write(lines)
        }
        row_count += chunk.row_count
      }
      await this.#parquet.endSymbol(symbol)
      await csv.finish()
    } finally {
      await csv.close()
    }
    this.#csv_files.push({ name, row_count })
    this.#row_counts.push(row_count)
    return row_count
  }

  async finish(summaries: readonly SymbolSummary[]): Promise<MarketSet> {
    const { dataset, schema_version, columns, source } = this.#set
    const dir = this.#dir
    await this.#parquet.finish()
    const identity = identityOf(this.#set, this.#date)
    const coverage_count = await writeCoverage(join(dir, 'coverage.parquet'), summaries, identity)
    const row_count = this.#row_counts.reduce((sum, count) => sum + count, 0)
    const files = [
      await describeFile(dir, `${dataset}.parquet`, 'parquet', row_count),
      await describeFile(dir, 'coverage.parquet', 'parquet', coverage_count),
    ]
    for (const csv of this.#csv_files) {
      files.push(await describeFile(dir, csv.name, 'csv.gz', csv.row_count))
    }
    return {
      dataset,
      schema_version,
      columns,
      dir,
      row_count,
      files,
      summaries: summaries.map((summary, i) => ({
        summary,
        rows: { channel: source, row_count: this.#row_counts[i]! },
      })),
    }
  }

  close(): Promise<void> {
    return this.#parquet.close()
  }
}

/** Backtesters read CSV in the order of arrival. */
const ARRIVAL = 'ts_ingest'

function orderColumns({ table, recorded }: RawSet): OrderColumns {
  const isFlag = (name: string): boolean =>
    table.columns.find((column) => column.name === name)?.type === 'bool'
  return {
    arrival: ARRIVAL,
    numbers: recorded.filter((name) => !isFlag(name)),
    flags: recorded.filter(isFlag),
  }
}

function identityOf({ dataset, schema_version }: RawSet, date: Day): FileIdentity {
  return { dataset, schema_version, date }
}
