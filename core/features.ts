/**
 * Registry of features: the columns of each dataset in order, each with unit, formula, source and
 * null rule. Parquet, Arrow, the manifest and docs/features.md are generated from it. features/
 * defines the groups of columns.
 */
import { BOOK_COLUMNS } from './features/book.ts'
import { keyColumns, type Feature } from './features/column.ts'
import { FITTED_COLUMNS } from './features/fitted.ts'
import { LABEL_COLUMNS } from './features/label.ts'
import { MARK_COLUMNS } from './features/mark.ts'
import { QUOTE_COLUMNS } from './features/quote.ts'
import { LIQUIDATION_COLUMNS, TRADE_COLUMNS } from './features/trade.ts'
import { WINDOW_COLUMNS } from './features/window.ts'

export { NEVER, type Feature, type FeatureType } from './features/column.ts'

/** A dataset that the job `features` builds. */
export interface FeatureSet {
  readonly dataset: string
  /** Raised with every change of a column's name, type or meaning; a part of the object key. */
  readonly schema_version: number
  readonly description: string
  /** Key columns first. */
  readonly columns: readonly Feature[]
}

export const FEATURES_1S_VERSION = 4

export const FEATURES_1S: readonly Feature[] = [
  ...keyColumns('1 s'),
  ...QUOTE_COLUMNS,
  ...TRADE_COLUMNS,
  ...BOOK_COLUMNS,
  ...WINDOW_COLUMNS,
  ...MARK_COLUMNS,
  ...LIQUIDATION_COLUMNS,
  ...FITTED_COLUMNS,
]

const NAMES_100MS = new Set(
  (
    'mid_close best_bid bid_qty best_ask ask_qty spread weighted_mid i1 ofi quote_count ' +
    'quote_age_s trade_count volume buy_volume sell_volume notional ' +
    'i5 i10 depth_update_count mlofi_norm_5 mlofi_norm_10 microprice_stoikov'
  ).split(' '),
)

export const FEATURES_100MS: readonly Feature[] = [
  ...keyColumns('100 ms'),
  ...FEATURES_1S.filter(({ name }) => NAMES_100MS.has(name)),
]

/** The same values as float32: half the memory. Times, names and whole numbers stay. */
export const FEATURES_1S_F32: readonly Feature[] = FEATURES_1S.map((feature) =>
  feature.type === 'float64' ? { ...feature, type: 'float32' } : feature,
)

export const LABELS_1S: readonly Feature[] = [...keyColumns('1 s'), ...LABEL_COLUMNS]

export const FEATURE_SETS = {
  features_1s: {
    dataset: 'features_1s',
    schema_version: FEATURES_1S_VERSION,
    description: 'Features of every symbol on a dense grid of seconds.',
    columns: FEATURES_1S,
  },
  features_100ms: {
    dataset: 'features_100ms',
    schema_version: 3,
    description: 'Some of features_1s on a 100 ms grid, for the symbols in FEATURES_100MS_SYMBOLS.',
    columns: FEATURES_100MS,
  },
  features_1s_f32: {
    dataset: 'features_1s_f32',
    schema_version: 1,
    description:
      'features_1s in float32, each value the one nearest to the float64, if FEATURES_F32 is on.',
    columns: FEATURES_1S_F32,
  },
  labels_1s: {
    dataset: 'labels_1s',
    schema_version: 3,
    description: 'How the mid moved after each row of features_1s.',
    columns: LABELS_1S,
  },
} as const satisfies Readonly<Record<string, FeatureSet>>
