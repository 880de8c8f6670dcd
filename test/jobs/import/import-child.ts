/** Imports files of a folder, until it is done or killed. RECHECK: replaced ones again. */
import { mkdtempSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { createObjectStore, type ObjectStoreConfig } from '#core/node/object-store.ts'
import { createPool } from '#core/node/pool.ts'
import { listFiles, type Wanted } from '../../../jobs/import/files.ts'
import { createFolderOrigin } from '../../../jobs/import/folder-origin.ts'
import { runImport } from '../../../jobs/import/run-import.ts'

const { DATABASE_URL, STORE, FOLDER, WANTED, RECHECK } = process.env
const pool = createPool(DATABASE_URL!, 'import', 2)
const store = createObjectStore(JSON.parse(STORE!) as ObjectStoreConfig)
await runImport({
  pool,
  store,
  work_dir: mkdtempSync(join(tmpdir(), 'booktape-import-')),
  origin: await createFolderOrigin(FOLDER!),
  files: listFiles(JSON.parse(WANTED!) as Wanted),
  is_recheck: RECHECK === 'yes',
  now: Date.now,
  signal: new AbortController().signal,
})
store.close()
await pool.end()
