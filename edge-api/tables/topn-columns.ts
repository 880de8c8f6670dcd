/** Columns of marketdata.orderbook_topn. The SQL table's comments define how each is computed. */
import { storedColumn as column, type RangeColumn } from './table.ts'

const LEVEL_COUNT = 10
const QUOTE = 'quote asset'
const BASE = 'base asset'

const levels = (letter: 'b' | 'a', side: string): readonly RangeColumn[] =>
  Array.from({ length: LEVEL_COUNT }, (_, index) => index + 1).flatMap((rank) => [
    column(`${letter}${rank}_price`, 'price', QUOTE, `price of ${side} level no. ${rank}`),
    column(`${letter}${rank}_qty`, 'qty', BASE, `quantity at ${side} level no. ${rank}`),
  ])

const shape = (side: 'bid' | 'ask'): readonly RangeColumn[] => [
  column(`${side}_wall_size`, 'qty', BASE, `quantity of the largest of the best 10 ${side} levels`),
  column(`${side}_wall_dist_bps`, 'number', 'bps', 'distance of this level from the mid'),
  column(`${side}_wall_ratio`, 'number', '1', 'its quantity / median quantity of the 10 levels'),
  column(`${side}_slope`, 'number', 'base asset per bps', `liquidity slope of the ${side} levels`),
]

export const orderbook_topn_columns: readonly RangeColumn[] = [
  column('ts_exchange', 'time', 'UTC', 'sampling time; the row has all updates up to it', false),
  column('final_update_id', 'id', 'id', 'update id of the newest update in the book', false),
  ...levels('b', 'bid'),
  ...levels('a', 'ask'),
  column('i1', 'number', '1', 'imbalance of the best level, -1 to 1'),
  column('i5', 'number', '1', 'imbalance of the best 5 levels, -1 to 1'),
  column('i10', 'number', '1', 'imbalance of the best 10 levels, -1 to 1'),
  column('microprice', 'number', QUOTE, 'mid weighted by the opposite quantities'),
  ...shape('bid'),
  ...shape('ask'),
]
