/** Every dataset and the jobs that publish them, for the lake. */
import { FEATURE_SETS } from '#core/features.ts'
import { LOB_10 } from '../lob/columns.ts'
import { DEPTH } from '../lob/depth-columns.ts'
import { FACT_SETS } from './build/fact-sets.ts'
import { MARKET_DAY_SETS, type SetName } from './daily-sets.ts'
import { DATASETS_JOB } from './run-datasets.ts'
import { FACTS_JOB } from './run-facts.ts'
import { FEATURES_JOB } from './run-features.ts'

export const PUBLISHED: { readonly jobs: readonly string[]; readonly sets: readonly SetName[] } = {
  jobs: [FEATURES_JOB, DATASETS_JOB, FACTS_JOB],
  sets: [...Object.values(FEATURE_SETS), ...MARKET_DAY_SETS, LOB_10, DEPTH, ...FACT_SETS],
}
