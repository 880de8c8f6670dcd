/**
 * Every table in the archive: the raw tables of tables.ts, and the tables that jobs derive from
 * them. Columns are in file order; a test compares them with the database's catalog. The catalog
 * describes each column, and edge-api/tables does so for callers.
 */
import { type Column, RAW_CHANNELS, RAW_TABLES, type RawChannel } from './tables.ts'

export const DERIVED_TABLES = ['orderbook_topn', 'bt_1s', 'trade_1s', 'depth_1s'] as const
export type DerivedTable = (typeof DERIVED_TABLES)[number]
export type ArchivedTable = RawChannel | DerivedTable

export type ArchivedColumn = Pick<Column, 'name' | 'type' | 'nullable'>

export interface TableShape {
  readonly name: ArchivedTable
  /** The time column comes first. All columns up to and including symbol_id have 8 bytes. */
  readonly columns: readonly ArchivedColumn[]
  readonly identity: readonly ['symbol_id', 'ts_exchange' | 'bucket', ...string[]]
}

const column = (name: string, type: Column['type'], nullable = false): ArchivedColumn => ({
  name,
  type,
  nullable,
})

/** Nullable: the stream was silent, or the side is empty. */
const values = (type: 'float8' | 'int8', ...names: readonly string[]): readonly ArchivedColumn[] =>
  names.map((name) => column(name, type, true))

const crossed = (left: readonly string[], right: readonly string[]): readonly string[] =>
  left.flatMap((one) => right.map((other) => `${one}_${other}`))

const SIDES = ['bid', 'ask']
const ENDS = ['first', 'last']

const levels = ['b', 'a'].flatMap((letter) =>
  Array.from({ length: 10 }, (_, i) => [`${letter}${i + 1}_price`, `${letter}${i + 1}_qty`]).flat(),
)

const orderbook_topn: TableShape = {
  name: 'orderbook_topn',
  columns: [
    column('ts_exchange', 'timestamptz'),
    column('symbol_id', 'int8'),
    column('final_update_id', 'int8'),
    ...values('float8', ...levels, 'i1', 'i5', 'i10', 'microprice'),
    ...values('float8', ...crossed(SIDES, ['wall_size', 'wall_dist_bps', 'wall_ratio', 'slope'])),
  ],
  identity: ['symbol_id', 'ts_exchange'],
}

const second = (
  name: DerivedTable,
  ...columns: readonly (readonly ArchivedColumn[])[]
): TableShape => ({
  name,
  columns: [column('bucket', 'timestamptz'), column('symbol_id', 'int8'), ...columns.flat()],
  identity: ['symbol_id', 'bucket'],
})

const bt_1s = second(
  'bt_1s',
  values('float8', ...crossed([...SIDES, 'mid'], ['open', 'high', 'low', 'close']), 'mid_mean'),
  values('float8', ...crossed(['bid_qty', 'ask_qty'], ['open', 'close', 'min', 'max', 'mean'])),
  values('float8', ...crossed(['spread'], ['min', 'max', 'mean'])),
  values('float8', 'microprice_close', 'microprice_mean', 'ofi_inside'),
  values('int8', 'quote_count'),
)

const trade_1s = second(
  'trade_1s',
  values('float8', 'open', 'high', 'low', 'close', 'volume', 'notional'),
  values('int8', 'trade_count'),
  values('float8', 'buy_volume', 'sell_volume'),
  values('int8', 'buy_count', 'sell_count'),
  values('float8', 'vwap', 'buy_ratio'),
)

const depth_1s = second(
  'depth_1s',
  values('int8', 'diff_count', 'partial_count', 'snapshot_count'),
  values('int8', 'bid_change_count', 'ask_change_count', 'final_update_id', 'book_count'),
  values(
    'float8',
    ...['', '_qty', '_qty10'].flatMap((part) =>
      crossed([`book_bid${part}`, `book_ask${part}`], ENDS),
    ),
    'book_ofi_inside',
  ),
)

export const ARCHIVED_TABLES: { readonly [name in ArchivedTable]: TableShape } = {
  ...RAW_TABLES,
  orderbook_topn,
  bt_1s,
  trade_1s,
  depth_1s,
}

/** Raw tables first, then the tables derived from them. */
export const ARCHIVED_NAMES: readonly ArchivedTable[] = [...RAW_CHANNELS, ...DERIVED_TABLES]

/** Late raw rows can replace rows of a derived table; a raw row never changes. */
export function isDerived(name: ArchivedTable): name is DerivedTable {
  return DERIVED_TABLES.some((one) => one === name)
}

/** A rollup's partition holds a day or an hour; other partitions and all files hold an hour. */
export function isRollup(name: ArchivedTable): boolean {
  return ARCHIVED_TABLES[name].identity[1] === 'bucket'
}
