/**
 * Writes a finished tape into Postgres up to its end, for imports and replays without a socket.
 * Uses the same code as live recording, so it gives the same rows.
 */
import { performance } from 'node:perf_hooks'
import type { Logger } from '#core/node/log.ts'
import { micros } from '#core/time.ts'
import type { StreamChoice } from '../exchanges/adapter.ts'
import { fileEnd, listSegments } from '../tape/segments.ts'
import type { FollowCounts } from './counts.ts'
import { startFollower } from './follower.ts'
import type { BatchLimits } from './session.ts'
import { fixedTapeEnd } from './tape-end.ts'

export interface FollowToEndOptions {
  readonly database_url: string
  readonly ingestor_id: string
  readonly tape_dir: string
  readonly choice: StreamChoice
  readonly dead_letter_path: string
  readonly log: Logger
  readonly limits?: BatchLimits
}

/** For tapes that are read as fast as Postgres can write. */
export const BULK_LIMITS: BatchLimits = {
  rows_max: 20_000,
  bytes_max: 8 * 1024 * 1024,
  age_ms_max: 1,
}

/** Resolves with the counts once everything on the tape is committed. */
export async function followToEnd(options: FollowToEndOptions): Promise<FollowCounts> {
  const end = endOf(options.tape_dir)
  const follower = startFollower({
    ...options,
    end: fixedTapeEnd(end),
    limits: options.limits ?? BULK_LIMITS,
    live: false,
    clock: () => micros(Math.round((performance.timeOrigin + performance.now()) * 1_000)),
    random: Math.random,
  })
  try {
    await follower.committed(end)
  } finally {
    await follower.stop()
  }
  return follower.status().counts
}

/** Position after the last byte. A torn end is cut off when a writer next opens the tape. */
function endOf(tape_dir: string): number {
  const last = listSegments(tape_dir).at(-1)
  return last === undefined ? 0 : fileEnd(last)
}
