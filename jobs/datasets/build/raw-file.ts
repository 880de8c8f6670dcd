/**
 * The Parquet file of a day's trades or quotes. A row group holds rows of one symbol. Its rows do
 * not depend on the size of the source's chunks, so equal rows give equal bytes.
 */
import type { ArchivedColumn } from '#core/archived-tables.ts'
import type { Exchange } from '#core/symbols.ts'
import { dataColumns, type ColumnData } from '../../columns/columns.ts'
import type { RowChunk } from '../../columns/row-chunk.ts'
import { identityPairs, type FileIdentity } from '../../parquet/identity.ts'
import { EXCHANGE_COLUMN } from '../../parquet/schema.ts'
import { createTableFile } from '../../parquet/table-file.ts'
import type { RawSet } from './raw-sets.ts'

export interface SymbolName {
  readonly exchange: Exchange
  readonly symbol: string
}

export interface RawFile {
  /** Adds rows of one symbol, in order, before those of the next symbol. */
  add(of: SymbolName, chunk: RowChunk): Promise<void>
  /** Call after the symbol's last rows. */
  endSymbol(of: SymbolName): Promise<void>
  finish(): Promise<void>
  /** Call after finish(), or to abandon the file. */
  close(): Promise<void>
}

/** For quotes: 7 MB before compression. */
const GROUP_ROWS = 131_072

export async function createRawFile(
  path: string,
  { table }: RawSet,
  identity: FileIdentity,
): Promise<RawFile> {
  const facts = Object.fromEntries(identityPairs(identity))
  const file = await createTableFile({ path, table, codec: 'zstd', facts })
  const names = dataColumns(table).map(({ name }) => name)
  const group = dataColumns(table).map(groupColumn)
  let filled = 0
  const flush = async ({ exchange, symbol }: SymbolName): Promise<void> => {
    if (filled === 0) return
    const words = { kind: 'texts', words: [exchange], codes: new Uint8Array(filled) } as const
    const columns = group.map((column, i): ColumnData =>
      names[i] === EXCHANGE_COLUMN ? words : withNulls(column, filled),
    )
    await file.writeGroup(symbol, { row_count: filled, columns }, { from: 0, to: filled })
    filled = 0
  }
  return {
    async add(of, chunk) {
      const sources = group.map(({ kind }, i) => {
        if (names[i] === EXCHANGE_COLUMN) return undefined
        return kind === 'flags' ? chunk.flags(names[i]!) : chunk.numbers(names[i]!)
      })
      for (let from = 0; from < chunk.row_count;) {
        const to = Math.min(chunk.row_count, from + GROUP_ROWS - filled)
        for (const [i, source] of sources.entries()) {
          if (source !== undefined) group[i]!.values.set(source.subarray(from, to), filled)
        }
        filled += to - from
        from = to
        if (filled === GROUP_ROWS) await flush(of)
      }
    },
    endSymbol: flush,
    finish: () => file.finish(),
    close: () => file.close(),
  }
}

type GroupColumn = Extract<ColumnData, { readonly kind: 'numbers' | 'flags' }>

function groupColumn({ type, nullable }: ArchivedColumn): GroupColumn {
  if (type === 'bool') return { kind: 'flags', values: new Uint8Array(GROUP_ROWS) }
  const nulls = nullable ? new Uint8Array(GROUP_ROWS) : undefined
  return { kind: 'numbers', values: new Float64Array(GROUP_ROWS), nulls }
}

/** A chunk holds NaN for null. None of our columns has NaN as a value. */
function withNulls(column: GroupColumn, filled: number): ColumnData {
  if (column.kind === 'flags' || column.nulls === undefined) return column
  const { values, nulls } = column
  for (let row = 0; row < filled; row++) nulls[row] = Number.isNaN(values[row]) ? 1 : 0
  return column
}
