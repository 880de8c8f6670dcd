/** Builds and publishes the datasets of the days that recordings touched. */
import type { Logger } from '#core/node/log.ts'
import { createObjectStore, type ObjectStoreConfig } from '#core/node/object-store.ts'
import { createPool } from '#core/node/pool.ts'
import { addDays, dayOf, type Day } from '#core/time.ts'
import { type FeaturesResult, runFeatures } from '../../../jobs/features/run-features.ts'
import { selectDaysWithData } from '../../../jobs/source/postgres.ts'
import type { RecordingSummary } from '../exchange/replay/recording.ts'

export interface PublishOptions {
  readonly database_url: string
  readonly store: ObjectStoreConfig
  readonly summaries: readonly RecordingSummary[]
  readonly work_dir: string
  readonly export_dir: string | undefined
  readonly log: Logger
}

export type PublishedDay = Pick<FeaturesResult, 'dataset' | 'date' | 'row_count' | 'files'>

const DAYS_MAX = 100_000

export async function publishDays(options: PublishOptions): Promise<readonly PublishedDay[]> {
  const pool = createPool(options.database_url, 'booktape-replay')
  const store = createObjectStore(options.store)
  try {
    const published: PublishedDay[] = []
    const days = await selectDaysWithData(pool, DAYS_MAX)
    for (const date of days.filter((day) => isTouched(day, options.summaries)).toSorted()) {
      const { dataset, row_count, files } = await runFeatures({
        pool,
        store,
        date,
        work_dir: options.work_dir,
        log: options.log,
        now: Date.now,
        ...(options.export_dir === undefined ? {} : { export_dir: options.export_dir }),
      })
      published.push({ dataset, date, row_count, files })
    }
    return published
  } finally {
    store.close()
    await pool.end()
  }
}

/** The exchange's clock and the recorder's differ: a day more on either side is looked at. */
function isTouched(day: Day, summaries: readonly RecordingSummary[]): boolean {
  return summaries.some(
    ({ from_ts, to_ts }) =>
      from_ts !== null && to_ts !== null && day >= addDays(dayOf(from_ts), -1) && day <= addDays(dayOf(to_ts), 1),
  )
}
