/**
 * Stores a file whose rows no stream records, in its own table and in one transaction. What the
 * file says replaces what its previous version said. These files are small: a month of candles of a
 * second is the largest.
 */
import type { FactTable } from '#core/fact-tables.ts'
import type { Client } from '#core/node/pool.ts'
import { dayRange, type Micros, micros, toIso } from '#core/time.ts'
import { readContent } from './content.ts'
import type { Cell, FactFile, FactKind, Parsed } from './kind.ts'
import { linesOf } from './lines.ts'

export interface FactRows {
  /** Rows of the file's previous version, all of which went. */
  readonly removed_count: number
  readonly line_count: number
  readonly row_count: number
  readonly repeated_count: number
  readonly void_count: number
  readonly rejected_count: number
  /** The reason of the first line that cannot be read. */
  readonly first_rejected: string | undefined
  readonly outside_count: number
  /** In order. */
  readonly times: Float64Array
}

/** Rows of one statement. */
const BATCH_ROWS = 4_096
/** Files of metrics end with the next day's first row [us]. */
const OUTSIDE_US = 600_000_000

/** Times of the first and last row of the file's previous version, all of which goes. */
export interface FactSpan {
  readonly first_ts: Date
  readonly last_ts: Date
}

/** In the caller's transaction. */
export async function storeFacts(
  client: Client,
  file: FactFile,
  symbol_id: number,
  path: string,
  before: FactSpan | undefined,
): Promise<FactRows> {
  const { facts } = file.kind
  const removed_count =
    before === undefined ? 0 : await removeFacts(client, file.kind, symbol_id, before)
  const tally = new FactTally(file)
  const parser = file.kind.createParser()
  for await (const lines of linesOf(readContent(path))) {
    for (const line of lines) {
      for (const parsed of parser.parse(line)) tally.take(parsed)
      if (tally.waiting_count >= BATCH_ROWS) {
        await upsert(client, facts, symbol_id, tally.batch())
      }
    }
  }
  await upsert(client, facts, symbol_id, tally.batch())
  return { ...tally.result(), removed_count }
}

async function removeFacts(
  client: Client,
  { facts, cadence: { interval_s } }: FactKind,
  symbol_id: number,
  { first_ts, last_ts }: FactSpan,
): Promise<number> {
  const of_interval = interval_s === undefined ? '' : ` and interval_s = ${interval_s}`
  const { rowCount } = await client.query(
    `delete from marketdata.${facts.name}
     where symbol_id = $1 and ts_exchange >= $2 and ts_exchange <= $3${of_interval}`,
    [symbol_id, first_ts, last_ts],
  )
  return rowCount ?? 0
}

async function upsert(
  client: Client,
  { name, columns: of_table, key }: FactTable,
  symbol_id: number,
  rows: readonly (readonly Cell[])[],
): Promise<void> {
  if (rows.length === 0) return
  const columns = of_table.map((column) => column.name)
  const values = columns.map((column, i) =>
    rows.map((row) => (column === 'ts_exchange' ? toIso(micros(row[i] as number)) : row[i])),
  )
  const types = columns.map((column) => (column === 'ts_exchange' ? 'timestamptz' : 'float8'))
  const rest = columns.filter((column) => !key.includes(column))
  await client.query(
    `insert into marketdata.${name} (symbol_id, ${columns.join(', ')})
     select $1, ${columns.join(', ')}
     from unnest(${types.map((type, i) => `$${i + 2}::${type}[]`).join(', ')})
       as r (${columns.join(', ')})
     on conflict (symbol_id, ${key.join(', ')})
     do update set ${rest.map((column) => `${column} = excluded.${column}`).join(', ')}`,
    [symbol_id, ...values],
  )
}

class FactTally {
  readonly #days: { readonly from: Micros; readonly to: Micros }
  readonly #key: readonly number[]
  readonly #times: number[] = []
  /** By key: one statement must not write a row twice. */
  #waiting = new Map<string, readonly Cell[]>()
  #first_rejected: string | undefined
  readonly #counts = {
    line_count: 0,
    row_count: 0,
    repeated_count: 0,
    void_count: 0,
    rejected_count: 0,
    outside_count: 0,
  }

  constructor({ kind, from, to }: FactFile) {
    this.#days = { from: dayRange(from).from, to: dayRange(to).from }
    this.#key = kind.facts.key.map((name) =>
      kind.facts.columns.findIndex((column) => column.name === name),
    )
  }

  get waiting_count(): number {
    return this.#waiting.size
  }

  take(parsed: Parsed): void {
    const counts = this.#counts
    counts.line_count += 1
    switch (parsed.kind) {
      case 'rejected':
        counts.rejected_count += 1
        this.#first_rejected ??= parsed.reason
        return
      case 'void':
        counts.void_count += 1
        return
      case 'row':
        this.#takeRow(parsed.ts_exchange, parsed.cells)
    }
  }

  batch(): readonly (readonly Cell[])[] {
    const rows = [...this.#waiting.values()]
    this.#waiting = new Map()
    return rows
  }

  result(): Omit<FactRows, 'removed_count'> {
    const times = Float64Array.from(this.#times).toSorted()
    return { ...this.#counts, first_rejected: this.#first_rejected, times }
  }

  #takeRow(ts: number, cells: readonly Cell[]): void {
    const counts = this.#counts
    if (ts < this.#days.from - OUTSIDE_US || ts >= this.#days.to + OUTSIDE_US) {
      counts.outside_count += 1
      return
    }
    const name = this.#key.map((at) => String(cells[at])).join(' ')
    if (this.#waiting.has(name)) counts.repeated_count += 1
    else {
      counts.row_count += 1
      this.#times.push(ts)
    }
    this.#waiting.set(name, cells)
  }
}
