/**
 * Writes a dataset of imported facts: the rows of a day in Postgres as Parquet and as Arrow, and
 * what the manifest says of the files that they are from. Memory holds a part of one symbol.
 */
import { join } from 'node:path'
import type { FactFileNote, SymbolCoverage } from '#core/dataset.ts'
import type { Client } from '#core/node/pool.ts'
import type { Exchange } from '#core/symbols.ts'
import { type Day, DAY_US, dayRange, micros, SECOND_US, toIso } from '#core/time.ts'
import { cadenceOf, missingBetween } from '../../facts/cadence.ts'
import { createDayFiles } from '../files/day-files.ts'
import type { DatasetRows } from '../files/dataset-rows.ts'
import { namesOf, placesOf } from '../files/names.ts'
import { encodePart, type PartBytes } from '../files/part.ts'
import type { SetOnDisk } from '../files/set-on-disk.ts'
import { type FactSymbol, readFacts } from './fact-rows.ts'
import type { FactSet } from './fact-sets.ts'

export interface FactDay extends SetOnDisk {
  readonly coverage: readonly SymbolCoverage[]
  /** Files that the rows are from. */
  readonly from_files: readonly FactFileNote[]
}

export interface FactDayOptions {
  /** In a transaction whose statements see the same rows. */
  readonly client: Client
  readonly dir: string
  readonly date: Day
  readonly signal: AbortSignal
}

/** Undefined: no file of the day was imported. */
export async function buildFactDay(
  { client, dir, date, signal }: FactDayOptions,
  set: FactSet,
): Promise<FactDay | undefined> {
  const files = await selectFiles(client, set, date)
  const symbols = [...Map.groupBy(files, ({ symbol_id }) => symbol_id).values()].map(symbolOf)
  if (symbols.length === 0) return undefined
  const names = namesOf(symbols.map(({ symbol }) => symbol))
  const own_dir = join(dir, set.dataset)
  const day_files = await createDayFiles(own_dir, set, names, date)
  try {
    const coverage: SymbolCoverage[] = []
    for (const { symbol, kinds } of symbols) {
      const tally = new FactTally(kinds, date)
      const parts: PartBytes[] = []
      for await (const rows of readFacts(client, set.table, symbol, date)) {
        signal.throwIfAborted()
        tally.add(rows)
        parts.push(encodePart(set.columns, rows, placesOf(names, symbol)))
      }
      if (parts.length > 0) await day_files.write(symbol, parts)
      coverage.push(coverageOf(symbol, date, tally))
    }
    const { dataset, schema_version, columns } = set
    return {
      dataset,
      schema_version,
      columns,
      dir: own_dir,
      row_count: coverage.reduce((sum, { row_count }) => sum + row_count, 0),
      files: await day_files.finish(),
      coverage,
      from_files: files.map(({ symbol_id: _id, exchange: _of, symbol: _name, ...note }) => note),
    }
  } finally {
    await day_files.close()
  }
}

interface FileRow extends FactFileNote {
  readonly symbol_id: number
  readonly exchange: Exchange
  readonly symbol: string
}

/** Files of the day, by exchange and symbol. */
async function selectFiles(
  client: Client,
  { table }: FactSet,
  date: Day,
): Promise<readonly FileRow[]> {
  const { rows } = await client.query<FileRow>(
    `select s.id::float8 as symbol_id, s.exchange, s.symbol, i.file, i.source, i.kind, i.sha256,
       i.finding
     from marketdata.imports i join marketdata.symbols s on s.id = i.symbol_id
     where i.table_name = $1 and i.from_ts <= $2 and i.to_ts > $2
     order by s.exchange collate "C", s.symbol collate "C", i.file collate "C"`,
    [table.name, toIso(dayRange(date).from)],
  )
  return rows
}

interface SymbolFiles {
  readonly symbol: FactSymbol
  readonly kinds: readonly string[]
}

function symbolOf(files: readonly FileRow[]): SymbolFiles {
  const { symbol_id, exchange, symbol } = files[0]!
  const kinds = [...new Set(files.map(({ kind }) => kind))]
  const intervals_s = [...new Set(kinds.map((kind) => cadenceOf(kind)?.interval_s))].toSorted(
    (a, b) => (a ?? 0) - (b ?? 0),
  )
  return { symbol: { symbol_id, exchange, symbol, intervals_s }, kinds }
}

/** Counts the rows of a symbol, and the seconds without them as the import does. */
class FactTally {
  readonly #kinds: readonly string[]
  readonly #date: Day
  /** By interval; undefined where the table has none. */
  readonly #times = new Map<number | undefined, number[]>()
  row_count = 0

  constructor(kinds: readonly string[], date: Day) {
    this.#kinds = kinds
    this.#date = date
  }

  add({ ts, columns }: DatasetRows): void {
    const interval_s = columns['interval_s']?.[0]
    const times = this.#times.get(interval_s) ?? []
    for (const one of ts) times.push(Number(one))
    this.#times.set(interval_s, times)
    this.row_count += ts.length
  }

  /** Of the kind that lacks most, at most a day [s]. */
  missing_s(): number {
    const { from, to } = dayRange(this.#date)
    const lacking = this.#kinds.map((name) => {
      const cadence = cadenceOf(name)
      if (cadence === undefined) return 0
      const times = this.#times.get(cadence.interval_s) ?? []
      // A candle of several days has a row on one of them.
      const length_us = (cadence.interval_s ?? 0) * SECOND_US
      if (length_us > DAY_US) return 0
      if (length_us > 0) return DAY_US - times.length * length_us
      return missingBetween(cadence, { from, to }, Float64Array.from(times)).reduce(
        (sum, { from_ts, to_ts }) => sum + to_ts - from_ts,
        0,
      )
    })
    return Math.ceil(Math.max(0, ...lacking) / SECOND_US)
  }
}

const DAY_S = DAY_US / SECOND_US

function coverageOf({ exchange, symbol }: FactSymbol, date: Day, tally: FactTally): SymbolCoverage {
  const { from, to } = dayRange(date)
  const missing_s = tally.missing_s()
  return {
    exchange,
    symbol,
    from_ts: toIso(from),
    to_ts: toIso(micros(to - SECOND_US)),
    row_count: tally.row_count,
    present_s: DAY_S - missing_s,
    missing_s,
    quote_count: 0,
    trade_count: 0,
    // The ledger is of streams. What a file lacks is said by its note.
    gap_count: 0,
    gaps: [],
  }
}
