/** Rows of the lake and of the API in one form, and checksums of their columns by the hour. */
import { createHash } from 'node:crypto'
import { expect } from 'vitest'
import { ARCHIVED_TABLES, type ArchivedTable, isDerived } from '#core/archived-tables.ts'
import type { ObjectStore } from '#core/node/object-store.ts'
import { HOUR_US, micros, toIso } from '#core/time.ts'
import { readTable } from '../jobs/lake/icebird.ts'
import type { Ask } from './contract.ts'

export type PlainRow = Readonly<Record<string, unknown>>

export interface Instrument {
  readonly exchange: string
  readonly symbol: string
}

/** By `2024-08-08T13 binance-futures BTCUSDT`: the number of rows, and a digest of each column. */
export type Checksums = ReadonlyMap<string, Readonly<Record<string, string | number>>>

const ROUTES: Readonly<Record<ArchivedTable, readonly [route: string, present?: string]>> = {
  book_ticker: ['quotes'],
  trades: ['trades'],
  depth_events: ['depth'],
  mark_price: ['mark-price'],
  liquidations: ['liquidations'],
  orderbook_topn: ['orderbook-topn'],
  bt_1s: ['market-data-1s', 'quote_count'],
  trade_1s: ['market-data-1s', 'trade_count'],
  depth_1s: ['market-data-1s', 'diff_count'],
}

/** Rows as icebird reads them. */
export async function checksumsOfLake(
  store: ObjectStore,
  name: ArchivedTable,
  snapshot_id?: number,
): Promise<Checksums> {
  const rows = await readTable(store, `${isDerived(name) ? 'derived' : 'raw'}.${name}`, snapshot_id)
  return checksums(
    name,
    rows.map((row) => [{ exchange: String(row['exchange']), symbol: String(row['symbol']) }, row]),
  )
}

export type InstrumentRow = readonly [Instrument, PlainRow]

/** Rows as the API answers, from every page of every hour. */
export async function rowsOfApi(
  ask: Ask,
  name: ArchivedTable,
  instruments: readonly Instrument[],
  hours: readonly number[],
): Promise<readonly InstrumentRow[]> {
  const [route, present] = ROUTES[name]
  const found: InstrumentRow[] = []
  for (const { exchange, symbol } of instruments) {
    const path = `/v1/${route}/${encodeURIComponent(symbol)}?exchange=${exchange}`
    for (const hour of hours) {
      const [from, to] = [hour, hour + HOUR_US].map((ts) => toIso(micros(ts)))
      for (const row of await allPages(ask, `${path}&from=${from}&to=${to}&limit=1000`)) {
        if (present === undefined || row[present] !== null) found.push([{ exchange, symbol }, row])
      }
    }
  }
  return found
}

export async function allPages(ask: Ask, path: string): Promise<readonly PlainRow[]> {
  const rows: PlainRow[] = []
  for (let next: string | null = path; next !== null;) {
    const response: Response = await ask(next)
    const text = await response.text()
    expect([next, response.status, response.ok ? '' : text]).toEqual([next, 200, ''])
    const page = JSON.parse(text) as { readonly next: string | null; readonly rows: PlainRow[] }
    rows.push(...page.rows)
    next = page.next
  }
  return rows
}

/** By hour, exchange and symbol. */
export function checksums(name: ArchivedTable, rows: readonly InstrumentRow[]): Checksums {
  const { columns, identity } = ARCHIVED_TABLES[name]
  const names = columns.map((column) => column.name).filter((column) => column !== 'symbol_id')
  const groups = Map.groupBy(rows, ([{ exchange, symbol }, row]) => {
    const hour = new Date(millis(row[identity[1]])).toISOString().slice(0, 13)
    return `${hour} ${exchange} ${symbol}`
  })
  return new Map(
    [...groups]
      .toSorted(([a], [b]) => (a < b ? -1 : 1))
      .map(([key, of_hour]) => [
        key,
        columnSums(
          names,
          of_hour.map(([, row]) => row),
        ),
      ]),
  )
}

/** The rows are ordered by their text, so that rows of one time have one order too. */
export function columnSums(
  names: readonly string[],
  rows: readonly PlainRow[],
): Readonly<Record<string, string | number>> {
  const lines = rows
    .map((row) => {
      const cells = names.map((name) => JSON.stringify(cell(row[name])))
      return { cells, text: cells.join() }
    })
    .toSorted((a, b) => (a.text < b.text ? -1 : 1))
  const sums = names.map((name, i) => {
    const hash = createHash('sha256')
    for (const line of lines) hash.update(line.cells[i]!).update('\n')
    return [name, hash.digest('hex').slice(0, 16)]
  })
  return { rows: rows.length, ...Object.fromEntries(sums) }
}

const ISO = /^\d{4}-\d{2}-\d{2}T/

/** Times in milliseconds, which is what icebird reads; numbers as doubles; levels as pairs. */
function cell(value: unknown): unknown {
  if (value === undefined || value === null) return null
  if (value instanceof Date || ISO.test(String(value))) return millis(value)
  if (Array.isArray(value)) return value.map(level)
  // The API writes prices and quantities as text.
  return typeof value === 'boolean' || Number.isNaN(Number(value)) ? value : Number(value)
}

function level(value: unknown): readonly number[] {
  if (Array.isArray(value)) return value.map(Number)
  const { price, qty } = value as { readonly price: number; readonly qty: number }
  return [price, qty]
}

export function millis(value: unknown): number {
  // A Date cuts microseconds off, as icebird does.
  return value instanceof Date ? value.getTime() : Date.parse(String(value))
}
