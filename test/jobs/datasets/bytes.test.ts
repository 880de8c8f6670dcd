/**
 * The bytes of a day: every file that the jobs make of fixed rows has the sha256 of day-bytes.json.
 * A change of bytes means that published days would be replaced, so it must be intended. The last
 * one: footers have the field ids of Iceberg, archived files a column `exchange` (decision 50).
 */
import { createHash } from 'node:crypto'
import { existsSync, readFileSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { expect, test } from 'vitest'
import { silentLogger } from '#core/node/log.ts'
import { MANIFEST_FILE } from '#core/object-keys.ts'
import { dayRange, parseDay } from '#core/time.ts'
import { selectHours } from '../../../jobs/archive/due-hours.ts'
import { runArchive } from '../../../jobs/archive/run-archive.ts'
import { runDatasets } from '../../../jobs/datasets/run-datasets.ts'
import { runRollups } from '../../../jobs/rollups/run-rollups.ts'
import { createTopnJob } from '../../../jobs/topn/run-topn.ts'
import { insertGap, insertSymbols } from '../market.ts'
import { createStand, NOON } from '../stand.ts'
import { loadWalk } from '../walk.ts'

const GOLDEN = join(import.meta.dirname, 'day-bytes.json')
const DATE = parseDay('2024-08-09')!
const { from: MIDNIGHT, to: END } = dayRange(DATE)
/** Two pieces of the day with a silent hour between them. */
const PIECES = [10 * 3_600, 12 * 3_600 + 1_000]
const PIECE_S = 240

// zlib's bytes depend on the processor's instructions.
const is_comparable = process.arch === 'x64'

test.skipIf(!is_comparable)('every file of a fixed day has the bytes it had (x64)', async () => {
  const stand = await createStand()
  const { pool, store } = stand
  const symbols = ['BTCUSDT', 'ETHUSDT', 'ADAUSDT']
  await insertSymbols(pool, symbols)
  const times = { midnight: MIDNIGHT, pieces_s: PIECES, piece_s: PIECE_S }
  for (const [index, symbol] of symbols.entries()) await loadWalk(pool, symbol, index + 1, times)
  const gap_from = MIDNIGHT + PIECES[0]! * 1e6 + 60e6
  for (const channel of ['book_ticker', 'trades', 'depth_events'] as const) {
    const span = { from_ts: gap_from, to_ts: gap_from + 20e6 }
    await insertGap(pool, { symbol: 'ETHUSDT', channel, ...span })
    await insertGap(pool, { symbol: 'ADAUSDT', channel, ...span, repaired: true })
  }
  const never = new AbortController().signal
  const run = { pool, log: silentLogger, now: () => NOON, signal: never }
  await runRollups(run)
  await createTopnJob({ ...run, cadence: { min_us: 100_000, max_us: 1_000_000 } }).run(never)
  const job = { ...run, store, work_dir: join(stand.dir, 'work') }
  await stand.features(DATE, { symbols_100ms: ['BTCUSDT'] })
  await runDatasets({ ...job, date: DATE })
  await runArchive({ ...job, codec: 'zstd', hours: await selectHours(pool, MIDNIGHT, END) })

  const found: Record<string, string> = {}
  for (const { key } of await store.list('')) {
    // Manifests describe columns in words, which may be improved.
    if (key.endsWith(`/${MANIFEST_FILE}`)) continue
    const sha256 = createHash('sha256')
      .update((await store.get(key))!)
      .digest('hex')
    found[key.replace(/\/build=\w+/, '')] = sha256
  }
  if (process.env['UPDATE_GOLDEN'] === '1')
    writeFileSync(GOLDEN, `${JSON.stringify(found, null, 2)}\n`)
  if (!existsSync(GOLDEN)) throw new Error(`${GOLDEN} is missing: UPDATE_GOLDEN=1 writes it.`)
  expect(found).toEqual(JSON.parse(readFileSync(GOLDEN, 'utf8')))
})
