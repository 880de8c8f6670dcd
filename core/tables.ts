/**
 * The raw tables: ordered columns with type and unit. COPY, Parquet, Arrow, JSON and OpenAPI are
 * all derived from this file; a test compares it with the database's catalog.
 */
import { CHANNELS, type Channel } from './market.ts'

/** `levels` is float8[][]: [price, qty] pairs. */
export type ColumnType = 'timestamptz' | 'int8' | 'float8' | 'bool' | 'text' | 'levels'

/** Channels whose table is partitioned by the hour and keyed by symbol_id. Index prices are not. */
export type RawChannel = Exclude<Channel, 'prices'>

export const RAW_CHANNELS: readonly RawChannel[] = CHANNELS.filter(
  (channel) => channel !== 'prices',
)

export interface Column {
  readonly name: string
  readonly type: ColumnType
  readonly nullable: boolean
  readonly unit: string
  readonly description: string
}

export interface Table {
  readonly name: RawChannel
  readonly columns: readonly Column[]
  /**
   * The primary key: symbol_id, ts_exchange (the partition key), then the first columns after the
   * stamps, in their order.
   */
  readonly identity: readonly ['symbol_id', 'ts_exchange', ...string[]]
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
const text = (name: string, description: string, unit: string): Column => ({
  name,
  type: 'text',
  nullable: false,
  unit,
  description,
})
const levels = (name: string, description: string): Column => ({
  name,
  type: 'levels',
  nullable: false,
  unit: 'quote asset, base asset',
  description,
})
const nullable = (column: Column): Column => ({ ...column, nullable: true })

export const book_ticker: Table = {
  name: 'book_ticker',
  columns: [
    ...stamps,
    id('update_id', "the exchange's order book update id (u)"),
    nullable(price('best_bid', 'best bid price; null if the side is empty')),
    nullable(price('best_ask', 'best ask price; null if the side is empty')),
    nullable(qty('bid_qty', 'quantity at the best bid; null if the side is empty')),
    nullable(qty('ask_qty', 'quantity at the best ask; null if the side is empty')),
  ],
  identity: ['symbol_id', 'ts_exchange', 'update_id'],
}

export const trades: Table = {
  name: 'trades',
  columns: [
    ...stamps,
    id('agg_trade_id', 'aggregate trade id (a), or the trade id (t) if raw trades are recorded'),
    price('price', 'trade price'),
    qty('qty', 'traded quantity, RPI fills included'),
    nullable(qty('non_rpi_qty', 'traded quantity without RPI fills (nq)')),
    nullable(id('first_trade_id', 'first trade id of the aggregate (f)')),
    nullable(id('last_trade_id', 'last trade id of the aggregate (l)')),
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

export const depth_events: Table = {
  name: 'depth_events',
  columns: [
    ...stamps,
    id('final_update_id', 'last update id of the event (u), or of the snapshot (lastUpdateId)'),
    text('depth_kind', 'diff, partial or snapshot', 'kind'),
    nullable(id('first_update_id', 'first update id of a diff (U)')),
    nullable(
      id('prev_final_update_id', 'final_update_id of the previous diff, as the exchange says (pu)'),
    ),
    levels('bids', 'bid levels as [price, qty]; in a diff, qty 0 removes the level'),
    levels('asks', 'ask levels as [price, qty]; in a diff, qty 0 removes the level'),
  ],
  identity: ['symbol_id', 'ts_exchange', 'final_update_id', 'depth_kind'],
}

export const mark_price: Table = {
  name: 'mark_price',
  columns: [
    ...stamps,
    price('mark_price', 'mark price'),
    nullable(price('index_price', 'index price')),
    nullable(price('settle_price', 'estimated settlement price')),
    {
      name: 'funding_rate',
      type: 'float8',
      nullable: true,
      unit: 'fraction per funding interval',
      description: 'funding rate; positive: longs pay shorts',
    },
    {
      name: 'next_funding_at',
      type: 'timestamptz',
      nullable: true,
      unit: 'UTC',
      description: 'when funding is paid next',
    },
  ],
  identity: ['symbol_id', 'ts_exchange'],
}

export const liquidations: Table = {
  name: 'liquidations',
  columns: [
    ...stamps,
    text('side', "side of the forced order, which is the taker's: buy or sell", 'side'),
    price('price', 'limit price of the forced order'),
    qty('qty', 'quantity of the forced order'),
    price('average_price', 'average price of its fills'),
    qty('filled_qty', 'quantity filled so far'),
  ],
  identity: ['symbol_id', 'ts_exchange', 'side', 'price', 'qty'],
}

/** Every raw table, by name. All are partitioned by the hour of ts_exchange. */
export const RAW_TABLES: { readonly [name in RawChannel]: Table } = {
  book_ticker,
  trades,
  depth_events,
  mark_price,
  liquidations,
}
