/**
 * Per raw table: ordered columns with type and unit. The one source for COPY, Parquet, Arrow,
 * JSON and OpenAPI; a test compares it with the database's own catalog.
 */
import type { Channel } from './market.ts'

export type ColumnType = 'timestamptz' | 'int8' | 'float8' | 'bool' | 'text'

export interface Column {
  readonly name: string
  readonly type: ColumnType
  readonly nullable: boolean
  readonly unit: string
  readonly description: string
}

export interface Table {
  readonly name: Channel
  readonly columns: readonly Column[]
  /** The primary key: (symbol_id, ts_exchange, id). ts_exchange is the partition key. */
  readonly identity: readonly [string, string, string]
}

const stamps: readonly Column[] = [
  {
    name: 'ts_exchange',
    type: 'timestamptz',
    nullable: false,
    unit: 'UTC',
    description: "matching engine's time (T), else event time (E), else receive time",
  },
  {
    name: 'ts_ingest',
    type: 'timestamptz',
    nullable: false,
    unit: 'UTC',
    description: 'our clock when the frame arrived',
  },
  {
    name: 'symbol_id',
    type: 'int8',
    nullable: false,
    unit: 'id',
    description: 'marketdata.symbols.id',
  },
]

const id = (name: string, description: string): Column => ({
  name,
  type: 'int8',
  nullable: false,
  unit: 'id',
  description,
})
const price = (name: string, description: string): Column => ({
  name,
  type: 'float8',
  nullable: false,
  unit: 'quote asset',
  description,
})
const qty = (name: string, description: string): Column => ({
  name,
  type: 'float8',
  nullable: false,
  unit: 'base asset',
  description,
})

export const book_ticker: Table = {
  name: 'book_ticker',
  columns: [
    ...stamps,
    id('update_id', "the exchange's order book update id (u)"),
    price('best_bid', 'best bid price'),
    price('best_ask', 'best ask price'),
    qty('bid_qty', 'quantity at the best bid'),
    qty('ask_qty', 'quantity at the best ask'),
  ],
  identity: ['symbol_id', 'ts_exchange', 'update_id'],
}

export const trades: Table = {
  name: 'trades',
  columns: [
    ...stamps,
    id('agg_trade_id', 'aggregate trade id (a), or the trade id (t) where raw trades are recorded'),
    price('price', 'trade price'),
    qty('qty', 'traded quantity, RPI fills included'),
    { ...qty('non_rpi_qty', 'traded quantity without RPI fills (nq)'), nullable: true },
    { ...id('first_trade_id', 'first trade id of the aggregate (f)'), nullable: true },
    { ...id('last_trade_id', 'last trade id of the aggregate (l)'), nullable: true },
    {
      name: 'is_buyer_maker',
      type: 'bool',
      nullable: false,
      unit: 'flag',
      description: 'true: the taker sold',
    },
  ],
  identity: ['symbol_id', 'ts_exchange', 'agg_trade_id'],
}

/** Every raw table, by name. All are partitioned by the hour of ts_exchange. */
export const RAW_TABLES: { readonly [name in Channel]: Table } = { book_ticker, trades }
