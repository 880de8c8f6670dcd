/** All faults, in the order in which the test injects them. */
import { DATABASE_FAULTS } from './database-faults.ts'
import type { Fault } from './fault.ts'
import { FEED_FAULTS } from './feed-faults.ts'
import { STORAGE_FAULTS, WORK_FAULTS } from './jobs-faults.ts'
import { LIVE_FAULTS } from './live-faults.ts'
import { MACHINE_FAULTS } from './machine-faults.ts'
import { FROZEN_PROGRAMS, GATEWAY_FAULTS } from './program-faults.ts'

/** One after another. */
type Lane = readonly Fault[]

/** The lanes of a round run at once, because their faults do not touch each other. */
export const ROUNDS: readonly (readonly Lane[])[] = [
  // The live server's need the feed.
  [
    [...FEED_FAULTS, ...LIVE_FAULTS],
    [...WORK_FAULTS, ...GATEWAY_FAULTS, ...MACHINE_FAULTS],
  ],
  [[...FROZEN_PROGRAMS, ...STORAGE_FAULTS, ...DATABASE_FAULTS]],
]

export const FAULTS: readonly Fault[] = ROUNDS.flat(2)
