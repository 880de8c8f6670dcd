/** What a commit writes in a table of many files, which were one commit. */
import { expect, test } from 'vitest'
import type { ObjectStore } from '#core/node/object-store.ts'
import { HOUR_US, micros } from '#core/time.ts'
import {
  changesOfHours,
  type LakeHour,
  selectLakeHours,
  wantedHour,
} from '../../../jobs/lake/archived-hours.ts'
import { commitFiles } from '../../../jobs/lake/commit.ts'
import { archivedLakeTable } from '../../../jobs/lake/format/table.ts'
import { FULL_FILES } from '../../../jobs/lake/merge.ts'
import { openPointer } from '../../../jobs/lake/pointer.ts'
import { SnapshotFiles } from '../../../jobs/lake/snapshot-files.ts'
import { HOUR, insertListed, insertRows, makeRows } from '../archive/rows.ts'
import { createStand } from '../stand.ts'
import { archive } from './commits.ts'
import { listedKeys } from './icebird.ts'

const FILES = 1_200
const table = archivedLakeTable('trades')
const stand = await createStand()

test('a new version of one file rewrites one manifest of at most 512 files', async () => {
  const { pool, store } = stand
  await insertListed(pool)
  await insertRows(pool, 'trades', makeRows('trades', 40))
  await archive(stand)
  const [known] = await selectLakeHours(pool, 'trades', 'all')
  const described = await wantedHour(stand, table, known!).describe()
  /** Files of other hours, with the first one's statistics: a commit reads only these. */
  const hourOf = (i: number, version: string): LakeHour => {
    const hour = micros(HOUR + i * HOUR_US)
    const [date, of_day] = new Date(hour / 1_000).toISOString().split(/[T:]/)
    const key = known!.object_key.replace(
      /date=.*$/,
      `date=${date}/hour=${of_day}${version}.parquet`,
    )
    return { ...known!, hour, object_key: key }
  }
  /** Bytes of manifests. */
  let written_bytes = 0
  const counting: ObjectStore = {
    ...store,
    put(key, body, type) {
      if (/-m\d+\.avro$/.test(key)) written_bytes += Buffer.byteLength(body)
      return store.put(key, body, type)
    },
  }
  const commit = async (hours: readonly LakeHour[]): Promise<void> => {
    const changes = changesOfHours({ store }, table, hours).map((change) => ({
      ...change,
      files: change.files.map((file) => ({
        ...file,
        describe: async () => ({ ...described, file_path: file.path, partition: file.partition }),
      })),
    }))
    const signal = new AbortController().signal
    const of = { pool, store: counting, table, now: Date.now, signal }
    await commitFiles({ ...of, changes: async () => changes })
  }
  const liveCounts = async (): Promise<readonly number[]> => {
    const { metadata } = (await (await openPointer(stand, table)).current())!
    const manifests = await new SnapshotFiles(store, table).currentManifests(metadata)
    return manifests.map((one) => one.added_files_count + one.existing_files_count)
  }
  const hours = Array.from({ length: FILES }, (_, i) => hourOf(i, ''))
  await commit(hours)
  expect(await liveCounts()).toEqual([FULL_FILES, FULL_FILES, 176])
  const bulk_bytes = written_bytes

  for (let late = 0; late < 8; late++) {
    written_bytes = 0
    const i = late * 140
    hours[i] = hourOf(i, '.v2')
    await commit([hours[i]])
    expect(written_bytes).toBeLessThan(bulk_bytes * 0.6)
    expect(Math.max(...(await liveCounts()))).toBeLessThanOrEqual(FULL_FILES)
  }
  const keys = hours.map(({ object_key }) => object_key).toSorted()
  expect(await listedKeys(store, 'raw.trades')).toEqual(keys)
})
