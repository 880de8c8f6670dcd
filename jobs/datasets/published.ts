/**
 * The datasets of the lake and the jobs that publish them. Not `signals`: the bars that end at
 * midnight give a day's file rows of the next day's first instant, and a table is partitioned by
 * day.
 */
import { FEATURE_SETS } from '#core/features.ts'
import { FEATURE_DAY_SETS, MARKET_DAY_SETS, type SetName } from './daily-sets.ts'
import { DATASETS_JOB } from './run-datasets.ts'
import { FEATURES_JOB } from './run-features.ts'

export const PUBLISHED: { readonly jobs: readonly string[]; readonly sets: readonly SetName[] } = {
  jobs: [FEATURES_JOB, DATASETS_JOB],
  sets: [...FEATURE_DAY_SETS, FEATURE_SETS.features_100ms, ...MARKET_DAY_SETS].filter(
    ({ dataset }) => dataset !== 'signals',
  ),
}
