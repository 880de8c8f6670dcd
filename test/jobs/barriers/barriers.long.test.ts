/** Barrier labels against numpy, and their mids against those of features_1s. */
import { spawnSync } from 'node:child_process'
import { fileURLToPath } from 'node:url'
import { expect, test } from 'vitest'
import { middle } from '#core/decimals.ts'
import { micros, SECOND_US } from '#core/time.ts'
import { type BarrierLabel, barrierLabels } from '../../../jobs/barriers/barrier-labels.ts'
import { LABELS_BARRIER } from '../../../jobs/barriers/columns.ts'
import { SecondQuoteFold } from '../../../jobs/barriers/second-quotes.ts'
import type { QuoteChunk } from '../../../jobs/day/events.ts'
import { cutsOf } from '../../../jobs/day/gaps.ts'
import { QuoteFold } from '../../../jobs/features/quote-columns.ts'
import { hasPython, PYTHON } from '../../support/python.ts'

const PROGRAM = fileURLToPath(new URL('oracle.py', import.meta.url))
const MIDNIGHT = Date.parse('2024-08-09T00:00:00Z') * 1_000
const KEYS = new Set(['exchange', 'symbol'])
const FIELDS = LABELS_BARRIER.columns.flatMap(({ name }) =>
  KEYS.has(name) ? [] : [name as keyof BarrierLabel],
)

function createRandom(seed: number): () => number {
  let state = seed
  return () => {
    state = (Math.imul(state, 1_664_525) + 1_013_904_223) >>> 0
    return state / 2 ** 32
  }
}

/** A random walk of quotes with empty sides, whose size of steps changes. */
function quotesOf(seed: number, start_s: number, length_s: number): QuoteChunk {
  const random = createRandom(seed)
  const rows: number[][] = []
  let ticks = 600_000
  for (let s = 0; s < length_s; s += random() * 2.5) {
    const size = 1 + Math.floor(12 * (1 + Math.sin(s / 500)))
    ticks += Math.floor(random() * (2 * size + 1)) - size
    const bid = random() < 0.0008 ? NaN : Number((ticks / 10).toFixed(1))
    const ask = Number(((ticks + 1 + Math.floor(random() * 3)) / 10).toFixed(1))
    rows.push([MIDNIGHT + Math.round((start_s + s) * 1e6), rows.length + 1, bid, ask])
  }
  const column = (at: number): Float64Array => Float64Array.from(rows, (row) => row[at]!)
  const qty = column(1).fill(1)
  return {
    row_count: rows.length,
    ts_exchange: column(0),
    update_id: column(1),
    best_bid: column(2),
    best_ask: column(3),
    bid_qty: qty,
    ask_qty: qty,
  }
}

const START_S = 16_000
const LENGTH_S = 7_200
const grid = { from: micros(MIDNIGHT + START_S * 1e6), step_us: SECOND_US, row_count: LENGTH_S }
const gap = { from_id: null, to_id: null, cause: 'disconnect', repaired: false } as const
const gapAt = (s: number, length_s: number) => ({
  from_ts: micros(MIDNIGHT + Math.round((START_S + s) * 1e6)),
  to_ts: micros(MIDNIGHT + Math.round((START_S + s + length_s) * 1e6)),
  ...gap,
})
const cuts = cutsOf([gapAt(2_000.5, 30), gapAt(5_000.25, 0.5)])
const seeds = (process.env['BARRIER_SEEDS'] ?? '1,2,3').split(',').map(Number)

function secondsOf(quotes: QuoteChunk, row_count = LENGTH_S) {
  const fold = new SecondQuoteFold({ ...grid, row_count }, cuts, undefined)
  fold.add(quotes)
  return fold.finish()
}

for (const seed of seeds) {
  test(`the quotes of seconds are those of features_1s, seed ${seed}`, () => {
    const quotes = quotesOf(seed, START_S, LENGTH_S)
    const fold = new QuoteFold(grid, cuts)
    fold.add(quotes)
    const { columns, cut } = fold.finish()
    const seconds = secondsOf(quotes)
    expect(seconds.columns.best_bid).toEqual(columns.best_bid)
    expect(seconds.columns.best_ask).toEqual(columns.best_ask)
    expect(seconds.cut).toEqual(cut)
  })

  test.skipIf(!hasPython('numpy'))(
    `labels, seed ${seed}: numpy finds the same (needs python3-numpy)`,
    () => {
      const seconds = secondsOf(quotesOf(seed, START_S, LENGTH_S))
      const labels = barrierLabels(seconds, grid, MIDNIGHT)
      const { best_bid, best_ask } = seconds.columns
      const mid = Array.from(best_bid, (bid, row) => {
        const value = middle(bid, best_ask[row]!)
        return Number.isNaN(value) ? null : value
      })
      const input = JSON.stringify({ from: grid.from, mid, cut: [...seconds.cut] })
      const ran = spawnSync(PYTHON, [PROGRAM], { input, maxBuffer: 1 << 28, encoding: 'utf8' })
      expect(ran.stderr).toBe('')
      const expected = JSON.parse(ran.stdout) as readonly (readonly number[])[]
      expect(labels.length).toBe(expected.length)
      for (const side of [-1, 0, 1]) {
        expect(
          labels.filter((label) => label.side === side).length,
          `side ${side}`,
        ).toBeGreaterThan(3)
      }
      expect(new Set(labels.map(({ purged_by }) => purged_by)).size).toBeGreaterThan(1)
      for (const [row, label] of labels.entries()) {
        for (const [place, field] of FIELDS.entries()) {
          const [found, wanted] = [label[field], expected[row]![place]!]
          const size = Math.max(1, Math.abs(wanted))
          expect(Math.abs(found - wanted) / size, `${row} ${field}`).toBeLessThan(1e-12)
        }
      }
    },
  )
}

test('events and what is known at them do not change when the day is cut anywhere', () => {
  const quotes = quotesOf(7, START_S, LENGTH_S)
  const whole = barrierLabels(secondsOf(quotes), grid, MIDNIGHT)
  const random = createRandom(3)
  for (let n = 0; n < 10; n++) {
    const row_count = 200 + Math.floor(random() * (LENGTH_S - 200))
    const end = quotes.ts_exchange.findIndex((ts) => ts >= grid.from + row_count * 1e6)
    const part = { ...quotes, row_count: end === -1 ? quotes.row_count : end }
    const cut_grid = { ...grid, row_count }
    const labels = barrierLabels(secondsOf(part, row_count), cut_grid, MIDNIGHT)
    const known = ({ ts, t1, side, log_return, volatility, barrier, fold }: BarrierLabel) => {
      return { ts, t1, side, log_return, volatility, barrier, fold }
    }
    const ended = whole.filter(({ t1 }) => t1 < grid.from + row_count * 1e6)
    expect(labels.map(known)).toEqual(ended.map(known))
  }
})
