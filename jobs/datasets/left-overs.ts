/** Staged files that a killed run left in the store. */
import type { ObjectStore } from '#core/node/object-store.ts'
import type { Pool } from '#core/node/pool.ts'
import { stagingKey, stagingPrefix } from '#core/object-keys.ts'
import { parseDay, type Day } from '#core/time.ts'
import { withLock } from '../run.ts'

export interface DatasetRun {
  /** Whose lock on a day it is that publishes the dataset. */
  readonly job: string
  readonly dataset: string
  readonly date: Day
}

/** Staged files whose run is not alive: their day's lock is free. Our own day's lock is ours. */
export async function deleteLeftOvers(
  pool: Pool,
  store: ObjectStore,
  { job, dataset, date: own_date }: DatasetRun,
): Promise<void> {
  const prefix = stagingPrefix(dataset)
  const keys = (await store.list(prefix)).map(({ key }) => key)
  const dates = new Set(keys.map((key) => parseDay(key.slice(prefix.length).slice(5, 15))))
  for (const date of dates) {
    if (date === undefined) continue
    const of_date = keys.filter((key) => key.startsWith(stagingKey(dataset, date, '')))
    const deleteAll = async (): Promise<void> => {
      for (const key of of_date) await store.delete(key)
    }
    if (date === own_date) await deleteAll()
    else await withLock(pool, job, date, deleteAll)
  }
}
