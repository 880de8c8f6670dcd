/**
 * The job `facts`: publishes the datasets of what was imported and no stream records: klines, open
 * interest, funding rates and book depth of a UTC day. Its result is a function of the rows in
 * Postgres: equal rows give equal bytes.
 *
 * A day is published if a file of it was imported and has rows. If a replaced file takes the last
 * rows away, the day is published again, without rows, so that nobody keeps the old ones.
 */
import type { Manifest } from '#core/dataset.ts'
import { type Client, inTransaction } from '#core/node/pool.ts'
import { manifestKey } from '#core/object-keys.ts'
import { markFactsBuilt, selectFactChanges } from '../facts/fact-days.ts'
import { buildFactDay, type FactDay } from './build/fact-day.ts'
import { FACT_SETS } from './build/fact-sets.ts'
import {
  type DayJobOptions,
  type DayResult,
  publishSet,
  type PublishedSet,
  runDayJob,
} from './day-job.ts'

export const FACTS_JOB = 'facts'

export interface FactsOptions extends DayJobOptions {
  /** `changed`: datasets whose rows imports have changed since they were built. */
  readonly which: 'changed' | 'all'
}

/** Errors: `day_in_future`; `run_in_progress`. Needs two connections of the pool. */
export function runFacts(options: FactsOptions): Promise<DayResult> {
  return runDayJob(FACTS_JOB, options, async (run) => {
    const { pool, date, now, onProgress } = options
    const { dir, signal } = run
    const { changes, days } = await inSnapshot(options, async (client) => {
      const found = await selectFactChanges(client, date, options.which)
      const wanted = FACT_SETS.filter(({ table }) => found.has(table.name))
      const built: FactDay[] = []
      for (const [i, set] of wanted.entries()) {
        const day = await buildFactDay({ client, dir, date, signal }, set)
        if (day !== undefined) built.push(day)
        onProgress?.(i + 1, wanted.length)
      }
      return { changes: found, days: built }
    })
    const sets: PublishedSet[] = []
    for (const { from_files, ...set } of days) {
      if (set.row_count === 0 && !(await isPublished(options, set))) continue
      const inputs = { fit: null, revised_hours: [], files: from_files }
      sets.push(await publishSet(options, run, set, inputs))
    }
    await markFactsBuilt(pool, date, changes, new Date(now()))
    return { row_count: sets.reduce((sum, { row_count }) => sum + row_count, 0), sets }
  })
}

async function isPublished(
  { store, date }: FactsOptions,
  { dataset, schema_version }: Pick<Manifest, 'dataset' | 'schema_version'>,
): Promise<boolean> {
  return (await store.get(manifestKey(dataset, schema_version, date))) !== undefined
}

/** Every statement sees the rows as they are now. */
function inSnapshot<T>({ pool }: FactsOptions, use: (client: Client) => Promise<T>): Promise<T> {
  return inTransaction(pool, async (client) => {
    await client.query('set transaction isolation level repeatable read read only')
    return use(client)
  })
}
