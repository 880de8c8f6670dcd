/** Builds and publishes the datasets of the days in the recordings. */
import type { Logger } from '#core/node/log.ts'
import { createObjectStore, type ObjectStoreConfig } from '#core/node/object-store.ts'
import { createPool } from '#core/node/pool.ts'
import { addDays, dayRange, type Day } from '#core/time.ts'
import type { PublishedSet } from '../../../jobs/datasets/day-job.ts'
import { type FeaturesResult, runFeatures } from '../../../jobs/datasets/run-features.ts'
import { selectDaysWithData } from '../../../jobs/day/days.ts'
import type { RecordingSummary } from '../../exchange/replay/recording.ts'

export interface PublishOptions {
  readonly database_url: string
  readonly store: ObjectStoreConfig
  readonly summaries: readonly RecordingSummary[]
  readonly work_dir: string
  readonly export_dir: string | undefined
  readonly log: Logger
}

export type ReplayedDay = PublishedSet & Pick<FeaturesResult, 'date'>

const DAYS_MAX = 100_000

export async function publishDays(options: PublishOptions): Promise<readonly ReplayedDay[]> {
  const pool = createPool(options.database_url, 'booktape-replay')
  const store = createObjectStore(options.store)
  try {
    const published: ReplayedDay[] = []
    const days = await selectDaysWithData(pool, DAYS_MAX)
    const touched = touchedDays(options.summaries)
    for (const date of days.filter((day) => touched.has(day)).toSorted()) {
      const { sets } = await runFeatures({
        pool,
        store,
        date,
        thread_count: 0,
        symbols_100ms: [],
        work_dir: options.work_dir,
        log: options.log,
        // The recorder's clock may have been ahead of this one.
        now: () => Math.max(Date.now(), dayRange(date).from / 1_000),
        ...(options.export_dir === undefined ? {} : { export_dir: options.export_dir }),
      })
      published.push({ ...sets[0], date })
    }
    return published
  } finally {
    store.close()
    await pool.end()
  }
}

/** The last quote of a day is carried into the next day, so that day changes too. */
function touchedDays(summaries: readonly RecordingSummary[]): ReadonlySet<Day> {
  return new Set(summaries.flatMap(({ days }) => days.flatMap((day) => [day, addDays(day, 1)])))
}
