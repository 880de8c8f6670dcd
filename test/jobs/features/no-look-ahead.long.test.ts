/**
 * Cutting the streams at a random moment changes no feature of an interval that had ended: every
 * column of features_1s (and so of features_1s_f32) and of features_100ms. Labels, which look
 * ahead, are known or null, and a known one stays.
 *
 * One thing is learnt later, and it only takes values away: an update of the book that was lost is
 * noticed with the next update, so the rows between the two become null.
 */
import { expect, test } from 'vitest'
import { BOOK_COLUMNS } from '#core/features/book.ts'
import { FEATURES_100MS, FEATURES_1S } from '#core/features.ts'
import { HOUR_US, SECOND_US } from '#core/time.ts'
import { randomNumbers } from './random.ts'
import { build, DAY, END, makeMarket, type Market } from './streams.ts'

const KEYS = new Set(['ts', 'exchange', 'symbol'])
const OF_BOOK = new Set([...BOOK_COLUMNS.map(({ name }) => name), 'mlofi_integrated'])
const SETS = { features_1s: FEATURES_1S, features_100ms: FEATURES_100MS } as const
const seeds = (process.env['LOOK_AHEAD_SEEDS'] ?? '1,2').split(',').map(Number)

interface Difference {
  readonly column: string
  /** From the end of the interval to the cut [s]. */
  readonly before_cut_s: number
  readonly early: number
  readonly whole: number
}

/** Differences between builds of cut streams and of whole ones, and how much was compared. */
async function differences(
  market: Market,
  made: keyof typeof SETS,
  seed: number,
  cut_count: number,
): Promise<{ readonly found: readonly Difference[]; readonly compared: number }> {
  const whole = await build(market, made, END)
  const random = randomNumbers(seed + 99)
  const found: Difference[] = []
  let compared = 0
  for (let n = 0; n < cut_count; n++) {
    const cut = DAY + HOUR_US / 2 + Math.floor(random() * (END - DAY - HOUR_US / 2))
    const early = await build(market, made, cut)
    const updates = market.depth.filter(({ depth_kind, ts_exchange: ts }) => {
      return depth_kind === 'diff' && ts < cut
    })
    const last_update = Math.max(...updates.map(({ ts_exchange }) => ts_exchange))
    const { from, step_us, row_count } = early.built
    expect(whole.built.from).toBe(from)
    const names = SETS[made].map(({ name }) => name).filter((name) => !KEYS.has(name))
    expect(Object.keys(early.columns)).toEqual(expect.arrayContaining(names))
    for (let row = 0; row < row_count && from + (row + 1) * step_us <= cut; row++) {
      const end = from + (row + 1) * step_us
      const before_cut_s = (cut - end) / SECOND_US
      for (const column of names) {
        const [a, b] = [early.columns[column]![row]!, whole.columns[column]![row]!]
        compared += 1
        const is_lost = OF_BOOK.has(column) && Number.isNaN(b) && end > last_update
        if (!Object.is(a, b) && !is_lost) found.push({ column, before_cut_s, early: a, whole: b })
      }
      for (const [name, values] of Object.entries(early.labels ?? {})) {
        if (!Number.isNaN(values[row])) expect(values[row], name).toBe(whole.labels![name]![row])
      }
    }
  }
  return { found, compared }
}

for (const seed of seeds) {
  for (const [made, cut_count] of [
    ['features_1s', 8],
    ['features_100ms', 3],
  ] as const) {
    test(`${made}, every column: a cut changes nothing before it (seed ${seed})`, async () => {
      const { found, compared } = await differences(makeMarket(seed, 0), made, seed, cut_count)
      expect(compared).toBeGreaterThan(100_000)
      expect(found.slice(0, 5)).toEqual([])
    })
  }

  test(`late snapshots change at most a minute of the book's columns (seed ${seed})`, async () => {
    const { found } = await differences(makeMarket(seed, 50), 'features_1s', seed, 8)
    expect(found.filter(({ column }) => !OF_BOOK.has(column))).toEqual([])
    expect(found.filter(({ before_cut_s }) => before_cut_s > 60)).toEqual([])
  })
}
