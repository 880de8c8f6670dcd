/**
 * `FEEDS_DIR=... npm run bench:sizes`: bytes of an event on the tape, in Postgres and in the
 * archive, from the BTC recording. infra/sizing/constants.ts has these figures.
 */
import { join } from 'node:path'
import { withServices } from './services.ts'
import { measureSizes } from './sizes/measure.ts'

const { FEEDS_DIR } = process.env
if (FEEDS_DIR === undefined) throw new Error('Set FEEDS_DIR to the folder of the recordings.')
const recording = join(FEEDS_DIR, 'binance-usdm-btcusdt-20240808', 'feed.ndjson.gz')
await withServices(async ({ dir, database_url, pool, store }) => {
  const sizes = await measureSizes({ pool, database_url, store, dir, recording })
  process.stdout.write(`${JSON.stringify(sizes, null, 2)}\n`)
})
