/** Archives what is due, and commits it to the lake. */
import { join } from 'node:path'
import { silentLogger } from '#core/node/log.ts'
import { runArchive } from '../../../jobs/archive/run-archive.ts'
import { changesOfHours, selectLakeHours } from '../../../jobs/lake/archived-hours.ts'
import { commitFiles, type CommitResult } from '../../../jobs/lake/commit.ts'
import { archivedLakeTable } from '../../../jobs/lake/format/table.ts'
import { type LakeOptions, runLake } from '../../../jobs/lake/run-lake.ts'
import type { Stand } from '../stand.ts'

type Services = Pick<Stand, 'pool' | 'store'>

export async function archive({
  pool,
  store,
  dir,
}: Pick<Stand, 'pool' | 'store' | 'dir'>): Promise<void> {
  await runArchive({
    pool,
    store,
    codec: 'zstd',
    work_dir: join(dir, 'work'),
    log: silentLogger,
    now: () => Date.parse('2024-08-09T12:00:00Z'),
  })
}

/** The job's result by table. */
export async function runLakeJob(
  { pool, store }: Services,
  options: Partial<LakeOptions> = {},
): Promise<ReadonlyMap<string, CommitResult>> {
  const results = new Map<string, CommitResult>()
  await runLake({
    pool,
    store,
    datasets: { jobs: [], sets: [] },
    log: silentLogger,
    now: Date.now,
    signal: new AbortController().signal,
    which: 'new',
    onTable: (name, result) => results.set(name, result),
    ...options,
  })
  return results
}

/** Commits the new trades without the job's lock, as a writer with another database would. */
export async function commitTrades({ pool, store }: Services): Promise<CommitResult> {
  const table = archivedLakeTable('trades')
  return commitFiles({
    pool,
    store,
    table,
    now: Date.now,
    signal: new AbortController().signal,
    changes: async () =>
      changesOfHours({ store }, table, await selectLakeHours(pool, 'trades', 'new')),
  })
}
