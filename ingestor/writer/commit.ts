/**
 * One batch, one transaction: rows of all tables, gaps, stream offsets and the tape's position. The
 * usual batch is one round trip: BEGIN, COPY straight into the partitioned tables, the position and
 * COMMIT. Postgres refuses what is not usual, rolls it back, and the batch is sent again in steps.
 * If a key clashes or a row is bad, it goes through staging.ts.
 */
import { DatabaseError } from 'pg'
import { keepConflicts } from './conflicts.ts'
import type { MutableCounts } from './counts.ts'
import { type Trouble, troubleOf } from './database-errors.ts'
import type { DeadLetters } from './dead-letters.ts'
import { logInvalidations } from './invalidations.ts'
import type { Partitions } from './partitions.ts'
import type { PreparedBatch } from './prepare.ts'
import { sendTogether } from './send-together.ts'
import {
  finalProgress,
  type ProgressDeps,
  storeProgress,
  storeProgressCarefully,
} from './store-progress.ts'
import { type ClashingTables, type Stored, storeRows } from './store-rows.ts'

export interface CommitDeps extends ProgressDeps {
  readonly partitions: Partitions
  readonly dead_letters: DeadLetters
}

/** What batches met, so that the next one does not try in vain. */
export interface CommitHistory {
  readonly clashing: ClashingTables
  /** The last batch had rows below a threshold. */
  was_late: boolean
}

export function createCommitHistory(): CommitHistory {
  return { clashing: new Set(), was_late: false }
}

/**
 * carefully: bad rows and records are found and left out. in_steps: Postgres' answer is looked at
 * before the COMMIT.
 */
type Way = 'at_once' | 'in_steps' | 'carefully'

const ATTEMPTS_MAX = 6

/** What a commit reports while it runs. */
export interface CommitEvents {
  /** Before the commit, so the counts are known even if the acknowledgement is lost. */
  onStored(counts: MutableCounts): void
  /** Postgres refused it: nothing of it is committed. */
  onRolledBack(): void
}

/** Commits the batch and returns its complete counts. */
export async function commitBatch(
  deps: CommitDeps,
  prepared: PreparedBatch,
  history: CommitHistory,
  events: CommitEvents,
): Promise<MutableCounts> {
  let way: Way = isUsual(prepared, history) ? 'at_once' : 'in_steps'
  for (let attempt = 1; ; attempt++) {
    for (const { channel, hours } of prepared.copies) await deps.partitions.ensure(channel, hours)
    try {
      if (way === 'at_once') return await commitAtOnce(deps, prepared, history, events)
      return await commitInSteps(deps, prepared, way === 'carefully', history, events)
    } catch (error) {
      const trouble = troubleOf(error)
      if (trouble !== 'lost') events.onRolledBack()
      if (!RETRIED.has(trouble) || attempt === ATTEMPTS_MAX) throw error
      await deps.client.query('rollback')
      if (trouble === 'no_partition') deps.partitions.forget()
      else way = way === 'at_once' && isUnusual(error) ? 'in_steps' : 'carefully'
    }
  }
}

const DIVISION_BY_ZERO = '22012'
const BEGIN = ['begin', 'set local synchronous_commit = off'] as const
const RETRIED: ReadonlySet<Trouble> = new Set<Trouble>(['clash', 'bad_row', 'no_partition'])

/** The position has moved, or rows are below a threshold: see `finalProgress`. */
function isUnusual(error: unknown): boolean {
  return error instanceof DatabaseError && error.code === DIVISION_BY_ZERO
}

/** Its counts are known before Postgres answers, and a COMMIT is all that is left to do then. */
function isUsual(
  { copies, batch, refused, dead }: PreparedBatch,
  { clashing, was_late }: CommitHistory,
): boolean {
  const are_plain = copies.every(
    ({ channel, conflicts }) => !clashing.has(channel) && conflicts.evidence.length === 0,
  )
  const more_count = batch.prices.length + batch.gaps.length + refused.length + dead.length
  return are_plain && more_count === 0 && !was_late
}

async function commitAtOnce(
  deps: CommitDeps,
  prepared: PreparedBatch,
  { clashing }: CommitHistory,
  events: CommitEvents,
): Promise<MutableCounts> {
  const { client } = deps
  const stored = await storeRows(client, prepared, false, clashing)
  const counts = countsOf(prepared, stored, 0, 0)
  events.onStored(counts)
  const progress = finalProgress(deps, prepared, stored.added)
  await sendTogether(client, [...BEGIN, ...stored.copies, progress, 'commit'])
  return counts
}

async function commitInSteps(
  deps: CommitDeps,
  prepared: PreparedBatch,
  careful: boolean,
  history: CommitHistory,
  events: CommitEvents,
): Promise<MutableCounts> {
  const { client } = deps
  const { batch } = prepared
  for (const statement of BEGIN) await client.query(statement)
  const stored = await storeRows(client, prepared, careful, history.clashing)
  const { gap_count, late_count, refused } = careful
    ? await storeProgressCarefully(deps, prepared, stored.added)
    : await storeProgress(deps, stored.copies, prepared, stored.added)
  if (late_count > 0) await logInvalidations(client, stored.added)
  const records = [...prepared.refused, ...refused]
  const letters = [...stored.bad, ...stored.bad_prices, ...prepared.dead, ...records]
  if (letters.length > 0) {
    await deps.dead_letters.write(letters, batch.from_position, batch.to_position)
  }
  await keepConflicts(client, deps.ingestor_id, stored.evidence)
  const counts = countsOf(prepared, stored, records.length, gap_count)
  events.onStored(counts)
  await client.query('commit')
  const { clashing } = history
  for (const { channel } of prepared.copies) {
    if (stored.met_keys.has(channel)) clashing.add(channel)
    else clashing.delete(channel)
  }
  history.was_late = late_count > 0
  return counts
}

function countsOf(
  { batch, dead }: PreparedBatch,
  { rows, duplicates, conflicts, bad, bad_prices }: Stored,
  refused_records: number,
  gaps: number,
): MutableCounts {
  const dead_letters = bad.length + bad_prices.length + dead.length
  return { ...batch.counts, rows, duplicates, conflicts, dead_letters, refused_records, gaps }
}
