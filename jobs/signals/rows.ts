/** Rows of signals: their ids, and their columns in the dataset. */
import { createHash } from 'node:crypto'
import type { Feature } from '#core/features.ts'
import { SIGNALS_SET } from '#core/signals/registry.ts'
import { DETAIL_NAMES, type Signal } from '#core/signals/signal.ts'
import type { Exchange } from '#core/symbols.ts'

export interface SignalRow extends Signal {
  /** The first 53 bits of a hash of everything else, so that a rerun gives the same id. */
  readonly id: number
}

export interface SignalSymbol {
  readonly exchange: Exchange
  readonly symbol: string
}

/** In the order of rows: by (ts, id). */
export function signalRows(of: SignalSymbol, signals: readonly Signal[]): readonly SignalRow[] {
  return signals
    .map((signal) => ({ ...signal, id: signalId(of, signal) }))
    .toSorted((a, b) => a.ts - b.ts || a.id - b.id)
}

const ID_BITS = 53n

function signalId({ exchange, symbol }: SignalSymbol, signal: Signal): number {
  const { ts, kind, interval_s, bar_ts, side, price_low, price_high, strength, version } = signal
  const details = DETAIL_NAMES.map((name) => signal.details[name] ?? null)
  const prices = [price_low, price_high, strength]
  const all = [exchange, symbol, ts, kind, interval_s, bar_ts, side, prices, version, details]
  const digest = createHash('sha256').update(JSON.stringify(all)).digest()
  return Number(digest.readBigUInt64BE() >> (64n - ID_BITS))
}

type Value = number | null | undefined

/** Columns of the dataset by name, without the keys; NaN is null, and a word its index. */
export function signalColumns(rows: readonly SignalRow[]): Readonly<Record<string, Float64Array>> {
  const columns = SIGNALS_SET.columns.filter(({ name }) => !KEYS.has(name))
  return Object.fromEntries(
    columns.map((column) => [column.name, Float64Array.from(rows, (row) => cellOf(column, row))]),
  )
}

const KEYS = new Set(['ts', 'exchange', 'symbol'])

function cellOf({ name, words }: Feature, row: SignalRow): number {
  // A row's fields are looked up by the column's name, which no type of a row allows.
  const values = { ...row, ...row.details } as unknown as Readonly<Record<string, Value | string>>
  const value = values[name]
  if (words !== undefined) return words.indexOf(String(value))
  return typeof value === 'number' ? value : NaN
}
