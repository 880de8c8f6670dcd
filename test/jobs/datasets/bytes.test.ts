/**
 * The bytes of a day: every file that the jobs make of fixed rows has the sha256 of day-bytes.json.
 * A change of bytes means that published days would be replaced, so it must be intended.
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
import {
  insertDepth,
  insertGap,
  insertLiquidations,
  insertMarks,
  insertQuotes,
  insertSymbols,
  insertTrades,
} from '../market.ts'
import { createStand, NOON, type Stand } from '../stand.ts'

const GOLDEN = join(import.meta.dirname, 'day-bytes.json')
const DATE = parseDay('2024-08-09')!
const { from: MIDNIGHT, to: END } = dayRange(DATE)
/** Two pieces of the day with a silent hour between them. */
const PIECES = [10 * 3_600, 12 * 3_600 + 1_000]
const PIECE_S = 240

/** Numbers in [0, 1), the same in every run. */
function createRandom(seed: number): () => number {
  let state = seed
  return () => {
    state = (Math.imul(state, 1_664_525) + 1_013_904_223) >>> 0
    return state / 2 ** 32
  }
}

/** A book that walks by ticks of 0.1, with trades, marks and liquidations. */
async function load({ pool }: Stand, symbol: string, seed: number): Promise<void> {
  const random = createRandom(seed)
  const pick = (count: number): number => Math.floor(random() * count)
  const price = (ticks: number): number => Number((ticks / 10).toFixed(1))
  const qty = (): number => Number((0.001 + pick(9_000) / 1_000).toFixed(3))
  let mid_ticks = 50_000 * seed
  let id = 1_000 * seed
  for (const piece_s of PIECES) {
    const quotes: Parameters<typeof insertQuotes>[1][number][] = []
    const trades: Parameters<typeof insertTrades>[1][number][] = []
    const depth: Parameters<typeof insertDepth>[1][number][] = []
    let depth_id: number | null = null
    for (let s = 0; s < PIECE_S; s += random() * 1.5) {
      const ts = MIDNIGHT + Math.round((piece_s + s) * 1e6)
      id += 1 + pick(3)
      mid_ticks += pick(5) - 2
      const [bid, ask] = [mid_ticks - 1 - pick(2), mid_ticks + pick(2)]
      quotes.push({
        symbol,
        ts,
        id,
        bid: price(bid),
        bid_qty: qty(),
        ask: price(ask),
        ask_qty: qty(),
      })
      if (pick(3) === 0) {
        const is_buyer_maker = pick(2) === 0
        const at = price(is_buyer_maker ? bid : ask)
        trades.push({ symbol, ts: ts + pick(900), id, price: at, qty: qty(), is_buyer_maker })
      }
      const levels = (best: number, step: -1 | 1): string =>
        `{${Array.from({ length: 25 }, (_, n) => `{${price(best + step * n)},${qty()}}`).join(',')}}`
      depth.push({
        symbol,
        ts,
        kind: depth_id === null ? 'snapshot' : 'diff',
        before: depth_id,
        id,
        bids: levels(bid, -1),
        asks: levels(ask, 1),
      })
      depth_id = id
    }
    await insertQuotes(pool, quotes)
    await insertTrades(pool, trades)
    await insertDepth(pool, depth)
    const seconds = Array.from({ length: PIECE_S / 10 }, (_, n) => piece_s + 10 * n)
    await insertMarks(
      pool,
      seconds.map((s) => ({
        symbol,
        ts: MIDNIGHT + s * 1e6,
        mark: price(mid_ticks) + 0.012_3,
        index: pick(4) === 0 ? null : price(mid_ticks),
        funding: 0.000_1 * pick(3),
      })),
    )
    await insertLiquidations(
      pool,
      seconds
        .filter((_, n) => n % 7 === 0)
        .map((s) => ({
          symbol,
          ts: MIDNIGHT + s * 1e6 + 500_000,
          side: pick(2) === 0 ? 'buy' : 'sell',
          qty: qty(),
        })),
    )
  }
}

// zlib's bytes depend on the processor's instructions.
const is_comparable = process.arch === 'x64'

test.skipIf(!is_comparable)('every file of a fixed day has the bytes it had (x64)', async () => {
  const stand = await createStand()
  const { pool, store } = stand
  const symbols = ['BTCUSDT', 'ETHUSDT', 'ADAUSDT']
  await insertSymbols(pool, symbols)
  for (const [index, symbol] of symbols.entries()) await load(stand, symbol, index + 1)
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
