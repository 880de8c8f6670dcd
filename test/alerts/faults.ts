/** All faults, in the order in which the test injects them. */
import { DATABASE_FAULTS } from './database-faults.ts'
import type { Fault } from './fault.ts'
import { FEED_FAULTS } from './feed-faults.ts'
import { JOBS_FAULTS } from './jobs-faults.ts'
import { PROGRAM_FAULTS } from './program-faults.ts'

export const FAULTS: readonly Fault[] = [
  ...FEED_FAULTS,
  ...PROGRAM_FAULTS,
  ...JOBS_FAULTS,
  ...DATABASE_FAULTS,
]

/** Alerts whose fault has not passed this test yet: a failure may be the fault's own. */
export const UNPROVEN: ReadonlySet<string> = new Set([
  'ObjectStoreAway',
  'ArchiveLate',
  'RollupLate',
  'JobLate',
  'DiskOverBudget',
])
