/** Features of the book below its best level, from replayed depth_events. */
import { columnsOf, type ColumnRow, type Feature } from './column.ts'

/** Levels per side that features use. */
export const BOOK_LEVELS = 10
const NO_BOOK =
  'the book is unknown at the end of the interval: no snapshot yet, missing changes, ' +
  'or an open gap in the depth stream'
const SHALLOW = `${NO_BOOK}, or the side has fewer than 10 levels, or the other side is empty`
const XGH =
  'Xu, Gould & Howison (2018), Multi-Level Order-Flow Imbalance in a Limit Order Book, ' +
  'arXiv 1907.06230'
export const CCZ =
  'Cont, Cucuringu & Zhang (2023), Cross-Impact of Order Flow Imbalance in Equity Markets, ' +
  'arXiv 2112.13213'
const NO_SLOPE = `${NO_BOOK}, or a side has fewer than 10 levels, or v_k = 0, k = 1..9, or b = a`
const NS = 'Naes & Skjeltorp (2006), Order book characteristics and the volume-volatility relation'

const imbalance = (level_count: number): ColumnRow => [
  `i${level_count}`,
  '1',
  `imbalance of the best ${level_count} levels at the end of the interval, -1 to 1`,
  `(sum Qb_k - sum Qa_k) / (sum Qb_k + sum Qa_k), k = 1..${level_count}`,
  { null_rule: `${NO_BOOK}, or a side has fewer than ${level_count} levels` },
]

const levelOfi = (level: number): ColumnRow => [
  `mlofi_${level}`,
  'base asset',
  `order flow imbalance of level ${level} of the book over its recorded updates ` +
    '(all changes in one update count as one); the first book after a gap restarts the chain',
  `sum e_n as in ofi, with the prices and quantities of level ${level}`,
  { source: XGH, null_rule: `${NO_BOOK}, or a side had no level ${level} in the interval` },
]

const normalisedOfi = (level_count: number): ColumnRow => [
  `mlofi_norm_${level_count}`,
  '1',
  `order flow imbalance of the best ${level_count} levels divided by their mean depth; all ` +
    'levels have the same weight',
  `sum mlofi_k / sum D_k, k = 1..${level_count}; D_k = mean over the updates of ` +
    '(Qb_k + Qa_k) / 2, or of the current book if there was no update',
  { source: CCZ, null_rule: `${NO_BOOK}, or the book had fewer levels in the interval` },
]

const ofSide = (side: 'bid' | 'ask'): readonly ColumnRow[] => [
  [
    `${side}_wall_size`,
    'base asset',
    `quantity of the largest of the best 10 ${side} levels at the end of the interval; the ` +
      'nearest one if several are equal',
    'Q_w = max Q_k, k = 1..10',
  ],
  [
    `${side}_wall_dist_bps`,
    'bps',
    `distance of the ${side} wall from the mid of the book`,
    '|p_w / m - 1| 1e4',
  ],
  [
    `${side}_wall_ratio`,
    '1',
    `size of the ${side} wall over the median quantity of the ten levels; 5 or more is often ` +
      'called a wall',
    'Q_w / median Q_k',
  ],
  [
    `${side}_slope`,
    'base asset per bps',
    `liquidity slope of the best 10 ${side} levels: cumulative quantity over distance from the ` +
      'mid of the book, least squares through the origin',
    'sum x_k y_k / sum x_k^2; x_k = |p_k / m - 1| 1e4, y_k = Q_1 + .. + Q_k',
    { source: `regression form of ${NS}` },
  ],
]

export const BOOK_COLUMNS: readonly Feature[] = columnsOf({ null_rule: SHALLOW }, [
  imbalance(5),
  imbalance(10),
  [
    'depth_update_count',
    'updates',
    'updates of the book in the interval',
    'n',
    { type: 'int64', null_rule: NO_BOOK },
  ],
  ...Array.from({ length: BOOK_LEVELS }, (_, rank) => levelOfi(rank + 1)),
  [
    'level_qty_mean',
    'base asset',
    'mean quantity of one of the best 10 levels, over levels, sides and updates; mlofi_k divided ' +
      'by it is the normalised OFI of level k',
    'sum D_k / 10, k = 1..10',
    { source: CCZ, null_rule: `${NO_BOOK}, or the book had fewer levels in the interval` },
  ],
  normalisedOfi(5),
  normalisedOfi(10),
  ...ofSide('bid'),
  ...ofSide('ask'),
  [
    'book_slope',
    '1',
    'mean slope of the two sides of the book: how fast the log volume grows with the price. The ' +
      'logarithm depends on the base-asset unit, so values compare only within a symbol',
    '(S_b + S_a) / 2; S = (v_1 / |p_1/m - 1| + sum (v_(k+1)/v_k - 1) / |p_(k+1)/p_k - 1|, ' +
      'k = 1..9) / 10; v_k = ln(Q_1 + .. + Q_k)',
    { source: NS, null_rule: NO_SLOPE },
  ],
])
