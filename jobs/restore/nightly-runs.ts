/**
 * Which nightly runs the queue has made: it cannot know after its tables were lost, but what they
 * published is in the bucket. The queue then makes up for the others, and for none twice.
 */
import { Logger as QueueLogger, runMigrations } from 'graphile-worker'
import type { Manifest } from '#core/dataset.ts'
import type { ObjectStore } from '#core/node/object-store.ts'
import type { Pool } from '#core/node/pool.ts'
import { datasetPrefix, parseManifestKey } from '#core/object-keys.ts'
import { addDays, type Day, dayRange, type Micros, toIso } from '#core/time.ts'
import { FEATURE_DAY_SETS, MARKET_DAY_SETS, type SetName } from '../datasets/daily-sets.ts'

/** Crontab lines (schedule/crontab.ts), and what each publishes last. */
const NIGHTLY: Readonly<Record<string, SetName>> = {
  nightly_features: FEATURE_DAY_SETS.at(-1)!,
  nightly_datasets: MARKET_DAY_SETS.at(-1)!,
}

const silent = new QueueLogger(() => () => undefined)

/** A queue that is there already knows better. `taken_at`: of the backup. */
export async function noteNightlyRuns(
  pool: Pool,
  store: ObjectStore,
  taken_at: Micros,
): Promise<void> {
  await runMigrations({ pgPool: pool, logger: silent })
  for (const [identifier, set] of Object.entries(NIGHTLY)) {
    const day = await newestCompleteDay(store, set)
    // A run at any time of the next day builds this one.
    const since = day === undefined ? toIso(taken_at) : toIso(dayRange(addDays(day, 2)).from)
    await pool.query(
      `insert into graphile_worker._private_known_crontabs
         (identifier, known_since, last_execution)
       values ($1, least(now(), $2::timestamptz), least(now(), $2::timestamptz))
       on conflict do nothing`,
      [identifier, since],
    )
  }
}

async function newestCompleteDay(
  store: ObjectStore,
  { dataset, schema_version }: SetName,
): Promise<Day | undefined> {
  const keys = (await store.list(datasetPrefix(dataset, schema_version)))
    .map(({ key }) => key)
    .filter((key) => parseManifestKey(key) !== undefined)
  for (const key of keys.toReversed()) {
    const bytes = await store.get(key)
    const manifest = JSON.parse(Buffer.from(bytes!).toString('utf8')) as Manifest
    if (manifest.complete) return parseManifestKey(key)!.date as Day
  }
  return undefined
}
