/** The tables with a range route. */
import { difference, middle } from '#core/decimals.ts'
import { ARCHIVED_TABLES, type DerivedTable } from '#core/archived-tables.ts'
import { FACT_TABLES, type FactName, KLINE_INTERVALS } from '#core/fact-tables.ts'
import { type ColumnType, RAW_TABLES, type RawChannel } from '#core/tables.ts'
import { DAY_US, SECOND_US } from '#core/time.ts'
import { decimalText, decimalsIn, roundedText } from '#core/decimal-text.ts'
import { candle_columns, market_data_1s_columns } from './market-data-columns.ts'
import {
  type ArchivedPart,
  type ColumnKind,
  rawColumns,
  type RangeColumn,
  type RangeTable,
  storedColumn,
} from './table.ts'
import { orderbook_topn_columns } from './topn-columns.ts'

const MINUTES_5_US = 300 * SECOND_US

function rawTable(
  channel: RawChannel,
  said: Pick<RangeTable, 'name' | 'row_name' | 'summary'> &
    Partial<Pick<RangeTable, 'dataset' | 'default_span_us'>>,
  derived: readonly RangeColumn[] = [],
): RangeTable {
  const [, time, ...rest] = RAW_TABLES[channel].identity
  return {
    relation: channel,
    archived: [{ table_name: channel, columns: undefined, present: undefined }],
    columns: [...rawColumns(channel), ...derived],
    identity: [time, ...rest],
    dataset: null,
    default_span_us: MINUTES_5_US,
    ...said,
  }
}

const BEST = ['best_bid', 'best_ask'] as const

/**
 * A column computed from the two best prices; null if a side is empty. Differences and means of
 * doubles have rounding noise after the decimals of the prices, so `text` gets the number of these.
 */
function ofBest(
  said: Pick<RangeColumn, 'name' | 'description'>,
  text: (best_bid: number, best_ask: number, decimal_count: number) => string,
): RangeColumn {
  return {
    ...said,
    kind: 'price',
    nullable: true,
    unit: 'quote asset',
    derived: {
      from: BEST,
      text({ best_bid, best_ask }, { price_decimals }) {
        if (typeof best_bid !== 'number' || typeof best_ask !== 'number') return null
        const texts = [best_bid, best_ask].map((price) => decimalText(price, price_decimals))
        return text(best_bid, best_ask, Math.max(...texts.map(decimalsIn)))
      },
    },
  }
}

const spread = ofBest(
  { name: 'spread', description: 'best_ask - best_bid; null if a side is empty' },
  (best_bid, best_ask, decimal_count) => roundedText(difference(best_ask, best_bid), decimal_count),
)

const mid = ofBest(
  {
    name: 'mid',
    description: '(best_ask + best_bid) / 2, with one more decimal; null if a side is empty',
  },
  (best_bid, best_ask, decimal_count) => roundedText(middle(best_bid, best_ask), decimal_count + 1),
)

export const quotes = rawTable(
  'book_ticker',
  {
    name: 'quotes',
    row_name: 'Quote',
    summary: 'Quotes of a symbol: best bid and offer after every change of the book',
    dataset: 'quotes',
  },
  [spread, mid],
)
export const trades = rawTable('trades', {
  name: 'trades',
  row_name: 'Trade',
  summary: 'Trades of a symbol',
  dataset: 'trades',
})
export const depth = rawTable('depth_events', {
  name: 'depth',
  row_name: 'DepthEvent',
  summary: 'Order book diffs, partial books and snapshots of a symbol',
})
export const mark_price = rawTable('mark_price', {
  name: 'mark-price',
  row_name: 'MarkPrice',
  summary: 'Mark price, index price and funding of a symbol',
})
export const liquidations = rawTable('liquidations', {
  name: 'liquidations',
  row_name: 'Liquidation',
  summary: 'Liquidations of a symbol. Binance sends only the last one of each second',
  default_span_us: DAY_US,
})
export const orderbook_topn: RangeTable = {
  name: 'orderbook-topn',
  row_name: 'TopOfBook',
  summary: 'Sampled best ten book levels of a symbol, with imbalances, microprice and walls',
  relation: 'orderbook_topn',
  archived: [{ table_name: 'orderbook_topn', columns: undefined, present: undefined }],
  columns: orderbook_topn_columns,
  identity: ['ts_exchange'],
  dataset: 'features_1s',
  default_span_us: MINUTES_5_US,
}

function second(table_name: DerivedTable, present: string): ArchivedPart {
  const columns = ARCHIVED_TABLES[table_name].columns.map(({ name }) => name)
  return { table_name, columns, present }
}

export const market_data_1s: RangeTable = {
  name: 'market-data-1s',
  row_name: 'MarketSecond',
  summary: 'Quotes, trades and depth of a symbol per second, up to the newest second',
  relation: 'market_data_1s',
  archived: [
    second('bt_1s', 'quote_count'),
    second('trade_1s', 'trade_count'),
    second('depth_1s', 'diff_count'),
  ],
  columns: market_data_1s_columns,
  identity: ['bucket'],
  dataset: 'features_1s',
  default_span_us: MINUTES_5_US,
}

const SECONDS = ARCHIVED_TABLES.trade_1s.columns.map(({ name }) => name)

/** Input of the candles; has no route. */
export const trade_seconds: RangeTable = {
  ...market_data_1s,
  name: 'trade-1s',
  row_name: 'TradeSecond',
  relation: 'trade_1s',
  archived: [{ table_name: 'trade_1s', columns: undefined, present: undefined }],
  columns: market_data_1s_columns.filter(({ name }) => SECONDS.includes(name)),
  dataset: 'candles',
}

/** Computed from trade_1s rather than stored, so they have their own route (routes/candles.ts). */
export const candles: Pick<RangeTable, 'row_name' | 'columns'> = {
  row_name: 'Candle',
  columns: candle_columns,
}

/** Imported facts (core/fact-tables.ts). Sums are plain numbers, as in candles. */
const PRICES: ReadonlySet<string> = new Set(['open', 'high', 'low', 'close'])
const QUANTITIES: ReadonlySet<string> = new Set(['open_interest', 'qty'])

function factTable(
  name: FactName,
  said: Pick<RangeTable, 'name' | 'row_name' | 'summary' | 'note' | 'default_span_us'> &
    Partial<Pick<RangeTable, 'intervals'>>,
): RangeTable {
  const { columns, key } = FACT_TABLES[name]
  const [first, ...rest] = key.filter((column) => column !== 'interval_s')
  return {
    relation: name,
    archived: [],
    columns: columns
      .filter((column) => column.name !== 'interval_s')
      .map(({ name: column, type, unit, description, nullable }) => {
        const kind = factKind(column, type)
        return storedColumn(column, kind, unit, description, nullable)
      }),
    identity: [first!, ...rest],
    dataset: name,
    ...said,
  }
}

function factKind(name: string, type: ColumnType): ColumnKind {
  if (type === 'timestamptz') return 'time'
  if (type === 'int8') return 'id'
  return PRICES.has(name) ? 'price' : QUANTITIES.has(name) ? 'qty' : 'number'
}

const IMPORTED =
  " Rows are from Binance's public archive, of the days that were imported; other days have none. " +
  'They stay in the database for good.'

const { '1m': minute, ...other_intervals } = KLINE_INTERVALS

export const klines = factTable('klines', {
  name: 'klines',
  row_name: 'Kline',
  summary: 'Candles of a symbol as the exchange made them, if imported',
  note: `${IMPORTED} /v1/candles has candles of the recorded trades.`,
  default_span_us: 100 * 60 * SECOND_US,
  intervals: { '1m': minute, ...other_intervals },
})
export const open_interest = factTable('open_interest', {
  name: 'open-interest',
  row_name: 'OpenInterest',
  summary: 'Open interest and ratios of a symbol every five minutes, if imported',
  note: IMPORTED,
  default_span_us: DAY_US,
})
export const funding_rates = factTable('funding_rates', {
  name: 'funding-rates',
  row_name: 'FundingRate',
  summary: 'Funding that was paid, if imported',
  note: `${IMPORTED} /v1/mark-price has the rate that was expected next, as it was recorded.`,
  default_span_us: 30 * DAY_US,
})
export const book_depth = factTable('book_depth', {
  name: 'book-depth',
  row_name: 'BookDepth',
  summary: 'Quantity in the book of a symbol by distance from the mid, if imported',
  note: `${IMPORTED} /v1/depth and /v1/orderbook-topn have recorded books.`,
  default_span_us: 12 * MINUTES_5_US,
})

export const FACT_RANGES: readonly RangeTable[] = [klines, open_interest, funding_rates, book_depth]

/** Tables that routes/ranges.ts serves. */
export const RANGE_TABLES: readonly RangeTable[] = [
  quotes,
  trades,
  depth,
  mark_price,
  liquidations,
  orderbook_topn,
  market_data_1s,
  ...FACT_RANGES,
]
