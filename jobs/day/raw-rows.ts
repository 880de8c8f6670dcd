/**
 * One symbol's rows of a raw table as they were recorded, both timestamps and the id included:
 * what goes into datasets of trades and quotes. The order is (ts_exchange, id).
 */
import { RAW_TABLES, type Column } from '#core/tables.ts'
import { dayRange, type Day } from '#core/time.ts'
import { readInt8, readMicros } from '#core/node/pg-copy/cells.ts'
import type { CopyRows } from '#core/node/pg-copy/fixed-rows.ts'
import type { ColumnData } from '../columns/columns.ts'
import { RowChunk } from '../columns/row-chunk.ts'
import { partsOf, type DayPlan } from './plan.ts'
import { CHUNK_ROWS, copySpan, orNaN } from './postgres-rows.ts'
import type { Places } from './reader.ts'
import type { DaySymbol } from './source.ts'

export type RawDataset = 'trades' | 'book_ticker'

/** A chunk's arrays may be reused: it is valid until the next. */
export interface RawReader {
  rows(symbol: DaySymbol, table: RawDataset): AsyncIterable<RowChunk>
}

/** What only some exchanges say of a trade. */
const LEFT_OUT: ReadonlySet<string> = new Set([
  'symbol_id',
  'non_rpi_qty',
  'first_trade_id',
  'last_trade_id',
])

export function rawColumns(table: RawDataset): readonly Column[] {
  return RAW_TABLES[table].columns.filter(({ name }) => !LEFT_OUT.has(name))
}

export function createRawReader(plan: DayPlan, day: Day, { client, archive }: Places): RawReader {
  const { from, to } = dayRange(day)
  return {
    async *rows(symbol, table) {
      const columns = rawColumns(table)
      const names = columns.map(({ name }) => name)
      const selected = columns.map(({ name, nullable }) => (nullable ? orNaN(name) : name))
      for (const part of partsOf(plan, symbol.exchange, table, from, to)) {
        if (part.kind === 'archive') {
          yield* archive.readSymbolHour(part.hour, { symbol: symbol.symbol, columns: names })
          continue
        }
        if (client === undefined) throw new Error('The plan reads Postgres, but has no client.')
        const widths = columns.map(({ type }) => (type === 'bool' ? 1 : 8))
        const target = targetOf(columns)
        for await (const rows of copySpan(client, symbol, table, part, selected, widths)) {
          yield fill(target, columns, rows)
        }
      }
    },
  }
}

type Target = ReadonlyMap<string, Extract<ColumnData, { readonly kind: 'numbers' | 'flags' }>>

function targetOf(columns: readonly Column[]): Target {
  return new Map(
    columns.map(({ name, type }) => [
      name,
      type === 'bool'
        ? { kind: 'flags', values: new Uint8Array(CHUNK_ROWS) }
        : { kind: 'numbers', values: new Float64Array(CHUNK_ROWS), nulls: undefined },
    ]),
  )
}

function fill(target: Target, columns: readonly Column[], rows: CopyRows): RowChunk {
  const { view, row_count, row_bytes, offsets } = rows
  for (const [i, { name, type }] of columns.entries()) {
    const { values } = target.get(name)!
    for (let row = 0, at = offsets[i]!; row < row_count; row++, at += row_bytes) {
      values[row] =
        type === 'timestamptz'
          ? readMicros(view, at)
          : type === 'int8'
            ? readInt8(view, at)
            : type === 'bool'
              ? view.getUint8(at)
              : view.getFloat64(at)
    }
  }
  return new RowChunk(row_count, target)
}
