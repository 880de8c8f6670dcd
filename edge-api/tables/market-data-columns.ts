/**
 * Columns of marketdata.market_data_1s and of candles. The comments of the SQL tables define how
 * each is computed. Quoted and traded prices and quantities are decimal text; sums and means are
 * plain numbers.
 */
import { storedColumn as column, type ColumnKind, type RangeColumn } from './table.ts'

const QUOTE = 'quote asset'
const BASE = 'base asset'

const SIDES = ['bid', 'ask'] as const

const quotePrices = [...SIDES, 'mid'].flatMap((side) =>
  ['open', 'high', 'low', 'close'].map((place) =>
    column(`${side}_${place}`, 'price', QUOTE, `${place} of the ${side} price over the quotes`),
  ),
)

const quoteQuantities = SIDES.flatMap((side) => [
  ...['open', 'close', 'min', 'max'].map((place) =>
    column(`${side}_qty_${place}`, 'qty', BASE, `${place} of the quantity at the best ${side}`),
  ),
  column(`${side}_qty_mean`, 'number', BASE, `mean of the quantity at the best ${side}`),
])

const quotes: readonly RangeColumn[] = [
  ...quotePrices,
  column('mid_mean', 'number', QUOTE, 'mean of the mid price over the quotes'),
  ...quoteQuantities,
  ...['min', 'max', 'mean'].map((what) =>
    column(`spread_${what}`, 'number', QUOTE, `${what} of the spread over the quotes`),
  ),
  column('microprice_close', 'number', QUOTE, 'microprice of the last quote'),
  column('microprice_mean', 'number', QUOTE, 'mean of the microprice over the quotes'),
  column('ofi_inside', 'number', BASE, 'order flow imbalance between the quotes of the second'),
  column('quote_count', 'id', 'rows', 'number of quotes'),
]

const trades: readonly RangeColumn[] = [
  column('open', 'price', QUOTE, 'price of the first trade'),
  column('high', 'price', QUOTE, 'highest price'),
  column('low', 'price', QUOTE, 'lowest price'),
  column('close', 'price', QUOTE, 'price of the last trade'),
  column('volume', 'number', BASE, 'traded quantity'),
  column('notional', 'number', QUOTE, 'traded value'),
  column('trade_count', 'id', 'rows', 'number of trades'),
  column('buy_volume', 'number', BASE, 'quantity that takers bought'),
  column('sell_volume', 'number', BASE, 'quantity that takers sold'),
  column('buy_count', 'id', 'rows', 'number of trades in which the taker bought'),
  column('sell_count', 'id', 'rows', 'number of trades in which the taker sold'),
  column('vwap', 'number', QUOTE, 'notional / volume'),
  column('buy_ratio', 'number', '1', 'buy_volume / volume'),
]

const CANDLE = [
  'open',
  'high',
  'low',
  'close',
  'volume',
  'notional',
  'trade_count',
  'buy_volume',
  'sell_volume',
  'vwap',
]

export const candle_columns: readonly RangeColumn[] = [
  column('ts', 'time', 'UTC', 'start of the candle', false),
  ...CANDLE.map((name) => ({
    ...trades.find((one) => one.name === name)!,
    nullable: name === 'vwap',
  })),
]

const ends = ['first', 'last'] as const

const bookSides = (part: '' | '_qty' | '_qty10', kind: ColumnKind, unit: string, what: string) =>
  SIDES.flatMap((side) =>
    ends.map((end) =>
      column(
        `book_${side}${part}_${end}`,
        kind,
        unit,
        `${what} ${side} in the ${end} sampled book`,
      ),
    ),
  )

const depth: readonly RangeColumn[] = [
  column('diff_count', 'id', 'rows', 'number of diffs'),
  column('partial_count', 'id', 'rows', 'number of partial books'),
  column('snapshot_count', 'id', 'rows', 'number of snapshots'),
  column('bid_change_count', 'id', 'levels', 'number of bid levels in the diffs'),
  column('ask_change_count', 'id', 'levels', 'number of ask levels in the diffs'),
  column('final_update_id', 'id', 'id', 'largest update id of the depth events'),
  column('book_count', 'id', 'rows', 'number of sampled books'),
  ...bookSides('', 'price', QUOTE, 'best'),
  ...bookSides('_qty', 'qty', BASE, 'quantity at the best'),
  ...bookSides('_qty10', 'number', BASE, 'quantity of the best ten levels of the'),
  column('book_ofi_inside', 'number', BASE, 'order flow imbalance between the sampled books'),
]

export const market_data_1s_columns: readonly RangeColumn[] = [
  column('bucket', 'time', 'UTC', 'start of the second', false),
  ...quotes,
  ...trades,
  ...depth,
]
