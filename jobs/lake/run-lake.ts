/**
 * The job `lake`: names new files of the archive and of the datasets in the tables of the lake. A
 * table is a run of its own; a table that fails does not stop the others.
 */
import type { ArchivedTable } from '#core/archived-tables.ts'
import { ARCHIVED_NAMES } from '#core/archived-tables.ts'
import type { Manifest } from '#core/dataset.ts'
import { describeError, OperatorError } from '#core/errors.ts'
import type { Logger } from '#core/node/log.ts'
import type { Day } from '#core/time.ts'
import { runJob, type RunLog, type RunResult } from '../runs/run.ts'
import {
  changesOfHours,
  type LakeHour,
  markHours,
  selectLakeHours,
  tablesWithNewHours,
  wantedHour,
} from './archived-hours.ts'
import { type Change, commitFiles, type CommitResult } from './commit.ts'
import { archivedLakeTable, datasetTableName, type LakeTable, tableName } from './format/table.ts'
import type { Services } from './pointer.ts'
import {
  type CheckedDay,
  type DatasetSource,
  type DatasetVersion,
  listDays,
  markDays,
  readPublished,
  selectNewDays,
  tableOfManifests,
  wantedDay,
} from './published-days.ts'

export const LAKE_JOB = 'lake'

export interface LakeOptions extends Services {
  readonly datasets: DatasetSource
  readonly log: Logger
  /** Milliseconds since 1970. */
  readonly now: () => number
  readonly signal: AbortSignal
  /**
   * `new`: what the lake does not have yet. `all`: every hour and day, and nothing else; for a
   * database that was restored, or metadata that was.
   */
  readonly which: 'new' | 'all'
  readonly onTable?: (name: string, result: CommitResult) => void
}

/** Rows of runs are kept this long [s]. */
const KEEP_RUNS_S = 7 * 86_400
/** More new days than this are one snapshot: nobody has read the states between them. */
const SNAPSHOTS_AT_ONCE = 48

/** Errors: `lake_incomplete` if tables failed. A table that another run commits is left to it. */
export async function runLake(options: LakeOptions): Promise<void> {
  const { pool, which } = options
  const failures: unknown[] = []
  const attempt = async (name: string, commit: (log: RunLog) => Promise<CommitResult>) => {
    options.signal.throwIfAborted()
    try {
      await commitInRun(options, name, commit)
    } catch (error) {
      options.signal.throwIfAborted()
      if (error instanceof OperatorError && error.code === 'run_in_progress') return
      failures.push(error)
    }
  }
  const tables = which === 'all' ? ARCHIVED_NAMES : await tablesWithNewHours(pool)
  for (const name of tables) {
    await attempt(tableName(archivedLakeTable(name)), () => commitHours(options, name))
  }
  for (const set of options.datasets.sets) {
    const days = await daysOf(options, set)
    if (!(await hasPublished(options, set, days))) continue
    const name = datasetTableName(set.dataset, set.schema_version)
    await attempt(tableName({ namespace: 'datasets', name }), () => commitDays(options, set, days))
  }
  if (failures.length === 0) return
  throw new OperatorError(
    'lake_incomplete',
    `${failures.length} tables of the lake are not up to date. The first: ` +
      describeError(failures[0]),
    { hint: '`npx booktape jobs ls` lists them. The next run tries again.', retryable: true },
  )
}

async function commitInRun(
  { pool, now, log, onTable }: LakeOptions,
  name: string,
  commit: (log: RunLog) => Promise<CommitResult>,
): Promise<void> {
  const run = { job: LAKE_JOB, job_window: name, attempt: 1, keep_s: KEEP_RUNS_S, now, log }
  await runJob(pool, run, async (run_log): Promise<RunResult> => {
    const result = await commit(run_log)
    const { snapshots, added_files, added_rows, removed_files } = result
    if (snapshots.length > 0) {
      const facts = { table: name, snapshot_count: snapshots.length, added_files, removed_files }
      run_log.info(facts, 'Committed.')
    }
    onTable?.(name, result)
    return { row_count: added_rows, byte_count: 0 }
  })
}

async function commitHours(options: LakeOptions, name: ArchivedTable): Promise<CommitResult> {
  const { pool, now, which } = options
  const table = archivedLakeTable(name)
  let hours: readonly LakeHour[] = []
  const result = await commitTo(options, table, async () => {
    hours = await selectLakeHours(pool, name, which)
    if (which === 'new') return changesOfHours(options, table, hours)
    const files = hours.map((hour) => wantedHour(options, table, hour))
    return [{ what: 'rebuild', files, is_all: true }]
  })
  await markHours(pool, name, hours, now())
  return result
}

async function daysOf(
  { pool, store, which, datasets }: LakeOptions,
  set: DatasetVersion,
): Promise<readonly Day[]> {
  return which === 'new' ? selectNewDays(pool, datasets, set) : listDays(store, set)
}

/** Otherwise there is nothing to commit: the current day's runs end all the time. */
async function hasPublished(
  { pool, store, now }: LakeOptions,
  set: DatasetVersion,
  days: readonly Day[],
): Promise<boolean> {
  const checked_ms = now()
  for (const date of days) {
    if ((await readPublished(store, set, date)) !== undefined) return true
  }
  const checked = days.map((date) => ({ date, build: null }))
  if (days.length > 0) await markDays(pool, set, checked, checked_ms)
  return false
}

async function commitDays(
  options: LakeOptions,
  set: DatasetVersion,
  days: readonly Day[],
): Promise<CommitResult> {
  const { pool, store, now, which } = options
  const checked_ms = now()
  const read = async (): Promise<readonly Manifest[]> => {
    const manifests = await Promise.all(days.map((date) => readPublished(store, set, date)))
    return manifests.filter((manifest) => manifest !== undefined)
  }
  let manifests = await read()
  const table = tableOfManifests(manifests)
  const result = await commitTo(options, table, async () => {
    manifests = await read()
    return changesOfDays(store, table, manifests, which)
  })
  const builds = new Map(manifests.map(({ date, build }) => [date, build ?? '']))
  const checked = days.map((date): CheckedDay => ({ date, build: builds.get(date) ?? null }))
  await markDays(pool, set, checked, checked_ms)
  return result
}

function commitTo(
  { pool, store, now, signal }: LakeOptions,
  table: LakeTable,
  changes: () => Promise<readonly Change[]>,
): Promise<CommitResult> {
  return commitFiles({ pool, store, table, now, signal, changes })
}

/** A day is a snapshot, unless there are many. */
function changesOfDays(
  store: LakeOptions['store'],
  table: LakeTable,
  manifests: readonly Manifest[],
  which: LakeOptions['which'],
): readonly Change[] {
  const wanted = manifests.flatMap((manifest) => {
    const file = wantedDay(store, table, manifest)
    return file === undefined ? [] : [{ what: manifest.date, file }]
  })
  const files = wanted.map(({ file }) => file)
  if (which === 'all') return [{ what: 'rebuild', files, is_all: true }]
  if (files.length > SNAPSHOTS_AT_ONCE) {
    return [{ what: `${files.length} days`, files, is_all: false }]
  }
  return wanted.map(({ what, file }) => ({ what, files: [file], is_all: false }))
}
