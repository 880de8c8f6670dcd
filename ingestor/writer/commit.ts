/**
 * One batch, one transaction: rows of all tables, gaps, stream offsets and the tape's position. The
 * fast path is COPY straight into the partitioned tables. If a key clashes or a row is bad, the
 * whole batch is rolled back and goes through staging.ts.
 */
import { keepConflicts } from './conflicts.ts'
import type { MutableCounts } from './counts.ts'
import { type Trouble, troubleOf } from './database-errors.ts'
import type { DeadLetters } from './dead-letters.ts'
import { logInvalidations } from './invalidations.ts'
import type { Partitions } from './partitions.ts'
import type { PreparedBatch } from './prepare.ts'
import { type ProgressDeps, storeProgressAfter, storeProgressCarefully } from './store-progress.ts'
import { type ClashingTables, needsOnlyCopies, storeRows } from './store-rows.ts'

export interface CommitDeps extends ProgressDeps {
  readonly partitions: Partitions
  readonly dead_letters: DeadLetters
}

const ATTEMPTS_MAX = 5

/**
 * Commits the batch and returns its complete counts. `onStored` is called before the commit, so the
 * counts are known even if the acknowledgement is lost.
 */
export async function commitBatch(
  deps: CommitDeps,
  prepared: PreparedBatch,
  clashing: ClashingTables,
  onStored: (counts: MutableCounts) => void,
): Promise<MutableCounts> {
  let careful = false
  for (let attempt = 1; ; attempt++) {
    for (const { channel, hours } of prepared.copies) await deps.partitions.ensure(channel, hours)
    try {
      return await commitOnce(deps, prepared, careful, clashing, onStored)
    } catch (error) {
      const trouble = troubleOf(error)
      if (!RETRIED.has(trouble) || attempt === ATTEMPTS_MAX) throw error
      await deps.client.query('rollback')
      if (trouble === 'no_partition') deps.partitions.forget()
      else careful = true
    }
  }
}

const BEGIN = ['begin', 'set local synchronous_commit = off'] as const
const RETRIED: ReadonlySet<Trouble> = new Set<Trouble>(['clash', 'bad_row', 'no_partition'])

async function commitOnce(
  deps: CommitDeps,
  prepared: PreparedBatch,
  careful: boolean,
  clashing: ClashingTables,
  onStored: (counts: MutableCounts) => void,
): Promise<MutableCounts> {
  const { client } = deps
  const { batch } = prepared
  const at_once = needsOnlyCopies(prepared, careful, clashing)
  if (!at_once) for (const statement of BEGIN) await client.query(statement)
  const stored = await storeRows(client, prepared, careful, clashing)
  const leading = [...(at_once ? BEGIN : []), ...stored.copies]
  const ledger = careful
    ? await storeProgressCarefully(deps, batch, stored.added)
    : await storeProgressAfter(deps, leading, batch, stored.added)
  const { gap_count: gaps, late_count } = ledger
  if (late_count > 0) await logInvalidations(client, stored.added)
  const records = [...prepared.refused, ...ledger.refused]
  const letters = [...stored.bad, ...stored.bad_prices, ...prepared.dead, ...records]
  if (letters.length > 0) {
    await deps.dead_letters.write(letters, batch.from_position, batch.to_position)
  }
  await keepConflicts(client, deps.ingestor_id, stored.evidence)
  const { rows, duplicates, conflicts } = stored
  const dead_letters = stored.bad.length + stored.bad_prices.length + prepared.dead.length
  const refused_records = records.length
  const counts = {
    ...batch.counts,
    rows,
    duplicates,
    conflicts,
    dead_letters,
    refused_records,
    gaps,
  }
  onStored(counts)
  await client.query('commit')
  for (const { channel } of prepared.copies) {
    if (stored.met_keys.has(channel)) clashing.add(channel)
    else clashing.delete(channel)
  }
  return counts
}
