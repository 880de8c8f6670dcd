/**
 * Check `datasets`: what the nightly jobs publish for yesterday is there, complete, with its files.
 */
import type { Manifest } from '#core/dataset.ts'
import { describeError } from '#core/errors.ts'
import type { ObjectStore } from '#core/node/object-store.ts'
import type { Client } from '#core/node/pool.ts'
import { datasetDayPrefix, datasetFileKey, manifestKey } from '#core/object-keys.ts'
import { addDays, dayOf, dayRange, type Day, micros, toIso } from '#core/time.ts'
import type { Finding } from '#core/validation.ts'
import { FEATURE_DAY_SETS, MARKET_DAY_SETS, type SetName } from '../datasets/daily-sets.ts'
import type { Checked } from './checked.ts'

/** The nightly jobs begin at 00:10 UTC, after the last hour was archived. */
const DUE_AFTER_H = 6
const HOUR_MS = 3_600_000

/** `now`: ISO. A day without archived hours needs no datasets. */
export async function checkDatasets(
  client: Client,
  store: ObjectStore,
  now: string,
): Promise<Checked> {
  const date = dueDay(now)
  const { from, to } = dayRange(date)
  const { rows } = await client.query<{ is_recorded: boolean }>(
    `select exists (
       select from marketdata.archive
       where table_name = 'book_ticker' and hour >= $1 and hour < $2
     ) as is_recorded`,
    [toIso(from), toIso(to)],
  )
  if (rows[0]?.is_recorded !== true) {
    return { looked_at: `0 datasets of ${date}`, row_count: 0, findings: [] }
  }
  const sets = [...FEATURE_DAY_SETS, ...MARKET_DAY_SETS]
  const findings: Finding[] = []
  for (const set of sets) {
    const found = checkDay(store, set, date).catch((error: unknown) => {
      const reason = describeError(error) || (error as Error).name
      return find(set, date, 'store_failed', `cannot be looked at: ${reason}.`)
    })
    findings.push(...(await found))
  }
  return { looked_at: `${sets.length} datasets of ${date}`, row_count: 0, findings }
}

/** Yesterday; in the first hours of a day the one before, since yesterday's may still be built. */
function dueDay(now: string): Day {
  const due_ms = Date.parse(now) - DUE_AFTER_H * HOUR_MS
  return addDays(dayOf(micros(due_ms * 1_000)), -1)
}

async function checkDay(store: ObjectStore, set: SetName, date: Day): Promise<readonly Finding[]> {
  const { dataset, schema_version } = set
  const bytes = await store.get(manifestKey(dataset, schema_version, date))
  if (bytes === undefined) {
    return find(set, date, 'dataset_missing', 'is not published: see `booktape jobs ls`.')
  }
  const manifest = JSON.parse(Buffer.from(bytes).toString('utf8')) as Manifest
  if (!manifest.complete) {
    return find(set, date, 'dataset_incomplete', 'was built before the day was over.')
  }
  const listed = await store.list(datasetDayPrefix(dataset, schema_version, date))
  const sizes = new Map(listed.map((object) => [object.key, object.bytes]))
  const wrong = manifest.files.filter(
    (file) => sizes.get(datasetFileKey(manifest, date, file.name)) !== file.bytes,
  )
  if (wrong.length === 0) return []
  const names = wrong.map(({ name }) => name).join(', ')
  const fault = `lacks files, or has them in another size: ${names}.`
  return find(set, date, 'dataset_damaged', fault)
}

function find(
  { dataset, schema_version }: SetName,
  date: Day,
  code: string,
  fault: string,
): readonly Finding[] {
  const sentence = `${dataset} v${schema_version} of ${date} ${fault}`
  return [{ check: 'datasets', code, table_name: null, symbols: [], sentence }]
}
