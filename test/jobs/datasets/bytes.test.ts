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
import type { ObjectStore } from '#core/node/object-store.ts'
import { addDays, dayRange, parseDay } from '#core/time.ts'
import { selectHours } from '../../../jobs/archive/due-hours.ts'
import { runArchive } from '../../../jobs/archive/run-archive.ts'
import { runDatasets } from '../../../jobs/datasets/run-datasets.ts'
import type { DepthRow } from '../../../jobs/day/depth-reader.ts'
import { runVerify } from '../../../jobs/datasets/verify/run-verify.ts'
import { runRollups } from '../../../jobs/rollups/run-rollups.ts'
import { createTopnJob } from '../../../jobs/topn/run-topn.ts'
import { insertDepth, insertGap, insertQuotes, insertSymbols } from '../market.ts'
import { depthOf } from '../lob/depth.ts'
import { readManifest, versionOf } from '../../support/published.ts'
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
  await stand.features(DATE, { symbols_100ms: ['BTCUSDT'], with_f32: true })
  await runDatasets({ ...job, date: DATE })
  await runArchive({ ...job, codec: 'zstd', hours: await selectHours(pool, MIDNIGHT, END) })

  for (const dataset of ['features_1s_f32', 'bars', 'labels_barrier']) {
    const { findings, row_count } = await runVerify({ ...job, dataset, date: DATE })
    expect([dataset, findings]).toEqual([dataset, []])
    expect(row_count, dataset).toBeGreaterThan(0)
  }
  await expectBytes(store, '')
})

test.skipIf(!is_comparable)('lob_10 of a fixed book has the bytes it had (x64)', async () => {
  const { pool, store, dir } = await createStand()
  await insertSymbols(pool, ['BTCUSDT'])
  const text = (levels: DepthRow['bids']): string =>
    `{${levels.map(([price, qty]) => `{${price},${qty}}`).join(',')}}`
  await insertDepth(
    pool,
    depthOf(1, 1_500).map((row) => ({
      symbol: 'BTCUSDT',
      ts: row.ts_exchange,
      kind: row.depth_kind,
      before: row.prev_final_update_id,
      id: row.final_update_id,
      bids: text(row.bids),
      asks: text(row.asks),
    })),
  )
  const job = { pool, store, work_dir: join(dir, 'work'), log: silentLogger, now: () => NOON }
  await runDatasets({ ...job, date: DATE, lob_symbols: ['BTCUSDT'] })
  const { findings, row_count } = await runVerify({ ...job, dataset: 'lob_10', date: DATE })
  expect(findings).toEqual([])
  expect(row_count).toBeGreaterThan(500)
  await expectBytes(store, 'datasets/lob_10/')
  await expectBytes(store, 'models/lob_10/')

  // The next day has the moments of this one.
  const next = addDays(DATE, 1)
  const quote = { symbol: 'BTCUSDT', ts: END + 1e6, id: 1, bid: 1, bid_qty: 1, ask: 2, ask_qty: 1 }
  await insertQuotes(pool, [quote])
  await runDatasets({ ...job, date: next, lob_symbols: ['BTCUSDT'] })
  const { inputs, files } = (await readManifest(store, 'lob_10', versionOf('lob_10'), next))!
  const fit = (await store.get(inputs!.fit!.key))!
  expect(inputs!.fit!.sha256).toBe(createHash('sha256').update(fit).digest('hex'))
  expect(files.find(({ name }) => name === 'normalisers.parquet')!.row_count).toBe(40)
})

/** Compares the files below a prefix with the golden ones of it; a longer prefix has its own. */
async function expectBytes(store: ObjectStore, prefix: string): Promise<void> {
  const golden = existsSync(GOLDEN)
    ? (JSON.parse(readFileSync(GOLDEN, 'utf8')) as Record<string, string>)
    : {}
  const isOf = (key: string): boolean =>
    key.startsWith(prefix) && /\/lob_10\//.test(`/${key}`) === (prefix !== '')
  const found: Record<string, string> = {}
  for (const { key } of await store.list(prefix)) {
    // Manifests describe columns in words, which may be improved.
    if (key.endsWith(`/${MANIFEST_FILE}`)) continue
    const sha256 = createHash('sha256')
      .update((await store.get(key))!)
      .digest('hex')
    found[key.replace(/\/build=\w+/, '')] = sha256
  }
  if (process.env['UPDATE_GOLDEN'] === '1') {
    const others = Object.entries(golden).filter(([key]) => !isOf(key))
    const all = Object.fromEntries(
      [...others, ...Object.entries(found)].toSorted(([a], [b]) => (a < b ? -1 : 1)),
    )
    writeFileSync(GOLDEN, `${JSON.stringify(all, null, 2)}\n`)
  }
  if (!existsSync(GOLDEN)) throw new Error(`${GOLDEN} is missing: UPDATE_GOLDEN=1 writes it.`)
  const written = JSON.parse(readFileSync(GOLDEN, 'utf8')) as Record<string, string>
  expect(found).toEqual(Object.fromEntries(Object.entries(written).filter(([key]) => isOf(key))))
}
