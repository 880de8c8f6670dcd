/**
 * `FEEDS_DIR=... node bench/sizes.ts`: bytes of an event on the tape, in Postgres and in the
 * archive, from the BTC recording. infra/sizing/constants.ts has these figures.
 */
import { chmodSync, mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { migrate } from '#core/node/migrate.ts'
import { createObjectStore } from '#core/node/object-store.ts'
import { createPool } from '#core/node/pool.ts'
import { startObjectStore } from '../infra/local/object-store.ts'
import { freePort } from '../infra/local/ports.ts'
import { startPostgres } from '../infra/local/postgres.ts'
import { measureSizes } from './sizes/measure.ts'

const { FEEDS_DIR } = process.env
if (FEEDS_DIR === undefined) throw new Error('Set FEEDS_DIR to the folder of the recordings.')
const recording = process.argv[2] ?? 'binance-usdm-btcusdt-20240808'
const dir = mkdtempSync(join(tmpdir(), 'booktape-sizes-'))
chmodSync(dir, 0o755)
const postgres = await startPostgres({
  dir: join(dir, 'postgres'),
  port: await freePort(),
  password: 'bench',
  settings: { fsync: 'off' },
})
const keys = { access_key_id: 'k', secret_access_key: 's' }
const server = await startObjectStore({ dir: join(dir, 'store'), port: 0, ...keys })
const store = createObjectStore(server.config)
const pool = createPool(postgres.url, 'bench')
try {
  await migrate(pool)
  const sizes = await measureSizes({
    pool,
    database_url: postgres.url,
    store,
    dir,
    recording: join(FEEDS_DIR, recording, 'feed.ndjson.gz'),
  })
  process.stdout.write(`${JSON.stringify(sizes, null, 2)}\n`)
} finally {
  await pool.end()
  store.close()
  await server.stop()
  await postgres.stop()
  rmSync(dir, { recursive: true, force: true })
}
