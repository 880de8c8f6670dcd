/**
 * What files of other archives have and no stream records: a table of Postgres, a dataset and a
 * route each. Only imports write the rows, and they stay in Postgres for good (decision 60).
 */
import type { Column, ColumnType } from './tables.ts'

export interface FactColumn extends Column {
  /** The field of the file that the value is from; '' if the import knows it from elsewhere. */
  readonly field: string
}

export interface FactTable {
  readonly name: FactName
  /** Binance's name of the files. */
  readonly files: string
  /** Of the dataset. */
  readonly schema_version: number
  readonly description: string
  /** Without symbol_id. */
  readonly columns: readonly FactColumn[]
  /**
   * The columns that are the primary key, together with symbol_id. A symbol's rows are sorted so.
   */
  readonly key: readonly string[]
}

export type FactName = 'klines' | 'open_interest' | 'funding_rates' | 'book_depth'

/** Lengths of Binance's klines by their names [s], except weeks and months. */
export const KLINE_INTERVALS = {
  '1s': 1,
  '1m': 60,
  '3m': 180,
  '5m': 300,
  '15m': 900,
  '30m': 1_800,
  '1h': 3_600,
  '2h': 7_200,
  '4h': 14_400,
  '6h': 21_600,
  '8h': 28_800,
  '12h': 43_200,
  '1d': 86_400,
  '3d': 259_200,
} as const

type Row = readonly [
  name: string,
  unit: string,
  description: string,
  field: string,
  own?: { readonly type?: ColumnType; readonly nullable?: boolean },
]

function columns(rows: readonly Row[]): readonly FactColumn[] {
  return rows.map(([name, unit, description, field, own]) => {
    return { name, type: 'float8', nullable: false, unit, description, field, ...own }
  })
}

const time = (description: string, field: string): Row => [
  'ts_exchange',
  'UTC',
  description,
  field,
  { type: 'timestamptz' },
]
const whole = { type: 'int8' } as const
const maybe = { nullable: true } as const

const QUOTE = 'quote asset'
const BASE = 'base asset'

const klines: FactTable = {
  name: 'klines',
  files: 'klines',
  schema_version: 1,
  description:
    'Candles as the exchange made them. The dataset candles is computed from recorded trades.',
  columns: columns([
    time('start of the candle', 'open_time'),
    ['interval_s', 's', 'length of the candle', '', whole],
    ['open', QUOTE, 'first price', 'open'],
    ['high', QUOTE, 'highest price', 'high'],
    ['low', QUOTE, 'lowest price', 'low'],
    ['close', QUOTE, 'last price', 'close'],
    ['volume', BASE, 'traded quantity', 'volume'],
    ['notional', QUOTE, 'sum of prices by quantities', 'quote_volume'],
    ['trade_count', '1', 'number of trades, not of aggregates', 'count', whole],
    ['buy_volume', BASE, 'quantity that takers bought', 'taker_buy_volume'],
    ['buy_notional', QUOTE, 'notional that takers bought', 'taker_buy_quote_volume'],
  ]),
  key: ['interval_s', 'ts_exchange'],
}

const open_interest: FactTable = {
  name: 'open_interest',
  files: 'metrics',
  schema_version: 1,
  description: 'Open interest and ratios of accounts, positions and volume, every five minutes.',
  columns: columns([
    time('time of the values', 'create_time'),
    ['open_interest', BASE, 'open interest', 'sum_open_interest', maybe],
    ['open_interest_value', QUOTE, 'its value', 'sum_open_interest_value', maybe],
    [
      'top_account_ratio',
      '1',
      'long accounts of top traders by short ones',
      'count_toptrader_long_short_ratio',
      maybe,
    ],
    [
      'top_position_ratio',
      '1',
      'long positions of top traders by short ones',
      'sum_toptrader_long_short_ratio',
      maybe,
    ],
    ['account_ratio', '1', 'long accounts by short ones', 'count_long_short_ratio', maybe],
    [
      'taker_volume_ratio',
      '1',
      'bought by sold volume of takers',
      'sum_taker_long_short_vol_ratio',
      maybe,
    ],
  ]),
  key: ['ts_exchange'],
}

const funding_rates: FactTable = {
  name: 'funding_rates',
  files: 'fundingRate',
  schema_version: 1,
  description:
    'Funding that was paid. The rates that were expected before a payment are in mark_price.',
  columns: columns([
    time('time of the payment', 'calc_time'),
    [
      'funding_rate',
      'fraction per funding interval',
      'rate; positive: longs pay shorts',
      'last_funding_rate',
    ],
    [
      'interval_h',
      'h',
      'time since the payment before',
      'funding_interval_hours',
      { ...whole, ...maybe },
    ],
  ]),
  key: ['ts_exchange'],
}

const book_depth: FactTable = {
  name: 'book_depth',
  files: 'bookDepth',
  schema_version: 1,
  description: 'Quantity in the book up to a distance from the mid, about every 30 seconds.',
  columns: columns([
    time('time of the book', 'timestamp'),
    ['distance_percent', 'percent', 'distance from the mid; negative: bids', 'percentage'],
    ['qty', BASE, 'sum of quantities up to the distance', 'depth'],
    ['notional', QUOTE, 'sum of prices by quantities up to the distance', 'notional'],
  ]),
  key: ['ts_exchange', 'distance_percent'],
}

export const FACT_TABLES: { readonly [name in FactName]: FactTable } = {
  klines,
  open_interest,
  funding_rates,
  book_depth,
}

export function isFactName(name: string): name is FactName {
  return Object.hasOwn(FACT_TABLES, name)
}
