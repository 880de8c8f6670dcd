/** The datasets that the nightly jobs publish for a day. */
import { FEATURE_SETS } from '#core/features.ts'
import { SIGNALS_SET } from '#core/signals/registry.ts'
import { BARS } from '../bars/columns.ts'
import { LABELS_BARRIER } from '../barriers/columns.ts'
import { CANDLES } from '../candles/columns.ts'
import { CLUSTERS } from '../clusters/columns.ts'
import { QUOTES_SET, TRADES_SET } from './build/raw-sets.ts'

export interface SetName {
  readonly dataset: string
  readonly schema_version: number
}

/** Of the job that builds features, in order. */
export const FEATURE_DAY_SETS: readonly SetName[] = [
  FEATURE_SETS.features_1s,
  FEATURE_SETS.labels_1s,
]
/** Of the job that builds the others, in order. */
export const MARKET_DAY_SETS: readonly SetName[] = [
  CANDLES,
  CLUSTERS,
  TRADES_SET,
  QUOTES_SET,
  BARS,
  LABELS_BARRIER,
  SIGNALS_SET,
]
