/** kill -9 at every step of archiving leaves, in the end, what one undisturbed run leaves. */
import { fork } from 'node:child_process'
import { once } from 'node:events'
import { mkdir, readdir } from 'node:fs/promises'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { expect, test } from 'vitest'
import { silentLogger } from '#core/node/log.ts'
import { runArchive } from '../../../jobs/archive/run-archive.ts'
import { createStand } from '../stand.ts'
import { digestOfBytes, insertListed, insertRows, makeRows, TABLE_NAMES } from './rows.ts'

const { pool, store, store_config, database_url, dir } = await createStand()
const NOW_MS = Date.parse('2024-08-08T20:00:00Z')
const work_dir = join(dir, 'work')
const CHILD = fileURLToPath(new URL('kill-child.ts', import.meta.url))
/** While gathering, before and after an upload, after reading back, around the first index. */
const MOMENTS = [
  'spill',
  'before putFile 1',
  'after putFile 1',
  'after read 1',
  'after putFile 2',
  'before putFile 3',
  'before put 1',
  'after put 1',
  'after put 3',
]

test('after any number of kills the files, rows and index are those of an undisturbed run', async () => {
  await insertListed(pool)
  for (const name of TABLE_NAMES) await insertRows(pool, name, makeRows(name, 2_000))
  const run = (): Promise<unknown> =>
    runArchive({ pool, store, codec: 'zstd', work_dir, log: silentLogger, now: () => NOW_MS })
  await run()
  const expected = await stateOf()
  // One more for the list of instruments.
  expect(expected.files).toHaveLength(4 * TABLE_NAMES.length + 1)
  for (const { key } of await store.list('')) await store.delete(key)
  await pool.query('truncate marketdata.archive')
  await mkdir(work_dir, { recursive: true })
  for (const DIE_AT of MOMENTS) {
    const child = fork(CHILD, {
      env: {
        ...process.env,
        DATABASE_URL: database_url,
        STORE: JSON.stringify(store_config),
        WORK_DIR: work_dir,
        NOW_MS: String(NOW_MS),
        DIE_AT,
      },
    })
    const [, signal] = await once(child, 'exit')
    expect(signal, DIE_AT).toBe('SIGKILL')
    // Every recorded file exists and matches its record.
    const { rows } = await pool.query('select object_key, sha256 from marketdata.archive')
    for (const { object_key, sha256 } of rows) {
      expect(digestOfBytes((await store.get(object_key))!)).toBe(sha256)
    }
  }
  await expect
    .poll(
      async () =>
        (await pool.query("select 1 from pg_stat_activity where application_name = 'killed'"))
          .rowCount,
    )
    .toBe(0)
  await run()
  expect(await stateOf()).toEqual(expected)
  expect(await readdir(work_dir)).toEqual([])
  const { rows } = await pool.query(
    "select distinct status, error from marketdata.job_runs where status <> 'done'",
  )
  expect(rows).toEqual([{ status: 'failed', error: 'The process ended during the run.' }])
})

async function stateOf(): Promise<{
  readonly files: readonly unknown[]
  readonly rows: readonly unknown[]
}> {
  const files: unknown[] = []
  for (const { key } of await store.list('')) {
    files.push([key, digestOfBytes((await store.get(key))!)])
  }
  const { rows } = await pool.query(
    `select object_key, version, row_count, sha256, checksums, table_row_count, indexed_at is not null as is_indexed
     from marketdata.archive order by object_key`,
  )
  return { files, rows }
}
