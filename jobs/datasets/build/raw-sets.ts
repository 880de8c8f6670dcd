/** Registry of the datasets `trades` and `quotes`: the raw rows of a day as they were recorded. */
import type { DatasetColumn } from '#core/features/column.ts'
import { NEVER } from '#core/features.ts'
import { RAW_TABLES, type Column, type Table } from '#core/tables.ts'
import { EXCHANGE_COLUMN } from '../../parquet/schema.ts'
import type { RowKind } from '../tardis/csv.ts'

export type RawDataset = 'trades' | 'book_ticker'

export interface RawSet {
  readonly dataset: RowKind
  readonly schema_version: number
  readonly description: string
  readonly source: RawDataset
  /** Columns to read. */
  readonly recorded: readonly string[]
  /** Columns of the Parquet file: exchange and symbol, then the recorded columns. */
  readonly table: Table
  readonly columns: readonly DatasetColumn[]
}

const EMPTY_SIDE = 'the side of the book is empty'

const exchange: Column = {
  name: EXCHANGE_COLUMN,
  type: 'text',
  nullable: false,
  unit: 'name',
  description: 'exchange',
}

const TYPES: Readonly<Record<Exclude<Column['type'], 'levels'>, string>> = {
  timestamptz: 'timestamp_us',
  int8: 'int64',
  float8: 'float64',
  bool: 'bool',
  text: 'string',
}

/** Columns that only some exchanges send for a trade. */
const LEFT_OUT: ReadonlySet<string> = new Set([
  'symbol_id',
  'non_rpi_qty',
  'first_trade_id',
  'last_trade_id',
])

function rawColumns(table: RawDataset): readonly Column[] {
  return RAW_TABLES[table].columns.filter(({ name }) => !LEFT_OUT.has(name))
}

export const TRADES_SET: RawSet = rawSet('trades', 'trades', 'Every trade, as it was recorded.')
export const QUOTES_SET: RawSet = rawSet(
  'quotes',
  'book_ticker',
  'Every change of the best bid and ask, as it was recorded.',
)
function rawSet(dataset: RowKind, source: RawDataset, description: string): RawSet {
  const symbol_id = RAW_TABLES[source].columns.find(({ name }) => name === 'symbol_id')!
  const recorded = rawColumns(source)
  const [ts_exchange, ts_ingest, ...others] = recorded
  const columns = [ts_exchange!, ts_ingest!, exchange, symbol_id, ...others]
  return {
    dataset,
    schema_version: 1,
    description: `${description} Sorted by exchange, symbol, ts_exchange, id.`,
    source,
    recorded: recorded.map(({ name }) => name),
    table: { ...RAW_TABLES[source], columns },
    columns: columns.map(columnOf),
  }
}

function columnOf({ name, type, nullable, unit, description }: Column): DatasetColumn {
  const common = { formula: '', source: 'recorded', null_rule: nullable ? EMPTY_SIDE : NEVER }
  if (name === 'symbol_id') {
    const what = "the exchange's own name; case counts"
    return { name: 'symbol', type: 'string', unit: 'name', description: what, ...common }
  }
  if (type === 'levels') throw new Error(`${name}: a dataset column cannot hold levels.`)
  return { name, type: TYPES[type], unit, description, ...common }
}
