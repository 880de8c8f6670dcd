/** The tables with a range route. */
import { difference, middle } from '#core/decimals.ts'
import { ARCHIVED_TABLES, type DerivedTable } from '#core/archived-tables.ts'
import { RAW_TABLES, type RawChannel } from '#core/tables.ts'
import { DAY_US, SECOND_US } from '#core/time.ts'
import { decimalText, decimalsIn, roundedText } from '#core/decimal-text.ts'
import { candle_columns, market_data_1s_columns } from './market-data-columns.ts'
import { rawColumns, type ArchivedPart, type RangeColumn, type RangeTable } from './table.ts'
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

/** Tables that routes/ranges.ts serves. */
export const RANGE_TABLES: readonly RangeTable[] = [
  quotes,
  trades,
  depth,
  mark_price,
  liquidations,
  orderbook_topn,
  market_data_1s,
]
