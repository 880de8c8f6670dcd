/** Bars against numpy, from the definitions alone, on random trades with gaps. */
import { spawnSync } from 'node:child_process'
import { fileURLToPath } from 'node:url'
import { expect, test } from 'vitest'
import { micros } from '#core/time.ts'
import { type Bar, BarFold } from '../../../jobs/bars/bar-fold.ts'
import { AMOUNTS, BAR_KINDS } from '../../../jobs/bars/columns.ts'
import type { AmountTotals, BarTrade, Totals } from '../../../jobs/bars/totals.ts'
import { cutsOf } from '../../../jobs/day/gaps.ts'
import { hasPython, PYTHON } from '../../support/python.ts'

const PROGRAM = fileURLToPath(new URL('oracle.py', import.meta.url))
const MIDNIGHT = Date.parse('2024-08-09T00:00:00Z') * 1_000
const FIELDS: readonly (keyof Bar)[] = [
  'ts',
  'start_ts',
  'open',
  'high',
  'low',
  'close',
  'volume',
  'buy_volume',
  'sell_volume',
  'notional',
  'trade_count',
  'vwap',
  'first_trade_id',
  'last_trade_id',
  'reached',
  'threshold',
]

function createRandom(seed: number): () => number {
  let state = seed
  return () => {
    state = (Math.imul(state, 1_664_525) + 1_013_904_223) >>> 0
    return state / 2 ** 32
  }
}

/** Trades whose sides come in runs, with bursts. */
function tradesOf(seed: number, count: number): readonly BarTrade[] {
  const random = createRandom(seed)
  const trades: BarTrade[] = []
  let [ts, ticks, is_buyer_maker] = [MIDNIGHT, 60_000, false]
  for (let id = 1; id <= count; id++) {
    ts += random() < 0.1 ? 0 : Math.floor((random() ** 4 * 2 * 86_000e6) / count)
    if (random() < 0.3) is_buyer_maker = !is_buyer_maker
    ticks += Math.floor(random() * 5) - 2
    const qty = Number((0.001 + Math.floor(random() ** 6 * 9_000) / 1_000).toFixed(3))
    trades.push({ ts, id, price: Number((ticks / 10).toFixed(1)), qty, is_buyer_maker })
  }
  return trades
}

interface Input {
  readonly trades: readonly BarTrade[]
  readonly before: Totals | undefined
  readonly gaps: readonly (readonly [number, number])[]
}

function made({ trades, before, gaps }: Input) {
  const ledger = gaps.map(([from_ts, to_ts]) => {
    const ids = { from_id: null, to_id: null, cause: 'disconnect', repaired: false } as const
    return { from_ts: micros(from_ts), to_ts: micros(to_ts), ...ids }
  })
  const fold = new BarFold(before, cutsOf(ledger))
  for (const trade of trades) fold.add(trade)
  return fold.finish()
}

type Answer = Readonly<Record<string, readonly (readonly number[])[] & AmountTotals>>

function inPython({ trades, before, gaps }: Input): Answer {
  const input = {
    before: before ?? null,
    gaps,
    ts: trades.map(({ ts }) => ts),
    id: trades.map(({ id }) => id),
    price: trades.map(({ price }) => price),
    qty: trades.map(({ qty }) => qty),
    sell: trades.map(({ is_buyer_maker }) => is_buyer_maker),
  }
  const ran = spawnSync(PYTHON, [PROGRAM], {
    input: JSON.stringify(input),
    maxBuffer: 1 << 28,
    encoding: 'utf8',
  })
  expect(ran.stderr).toBe('')
  return JSON.parse(ran.stdout) as Answer
}

function expectClose(found: number, expected: number, what: string): void {
  expect(Math.abs(found - expected) / Math.max(1, Math.abs(expected)), what).toBeLessThan(1e-12)
}

const seeds = (process.env['BAR_SEEDS'] ?? '1,2,3').split(',').map(Number)
for (const seed of seeds) {
  test.skipIf(!hasPython('numpy'))(
    `bars of every kind, seed ${seed}: numpy finds the same (needs python3-numpy)`,
    () => {
      const first = { trades: tradesOf(seed, 8_000), before: undefined, gaps: [] }
      const before = made(first).totals!
      const trades = tradesOf(seed + 1_000, 8_000)
      const at = (row: number, more: number): number => trades[row]!.ts + more
      const gaps = [
        [at(3_000, 0), at(3_050, 0)],
        [at(6_000, 1), at(6_001, 1)],
      ] as const
      for (const input of [first, { trades, before, gaps }]) {
        const { bars, totals } = made(input)
        const expected = inPython(input)
        for (const [place, { name }] of BAR_KINDS.entries()) {
          const rows = bars[place]!
          expect(rows.length, name).toBeGreaterThan(10)
          expect(rows.length, name).toBe(expected[name]!.length)
          for (const [row, bar] of rows.entries()) {
            for (const [column, field] of FIELDS.entries()) {
              expectClose(bar[field], expected[name]![row]![column]!, `${name} ${row} ${field}`)
            }
          }
        }
        for (const amount of AMOUNTS) {
          for (const key of ['bought', 'sold', 'minute_imbalance'] as const) {
            expectClose(
              totals!.of[amount][key],
              expected[`totals_${amount}`]![key],
              `${amount} ${key}`,
            )
          }
        }
      }
    },
  )
}

test('truncating the trades anywhere changes no bar that had ended', () => {
  const trades = tradesOf(9, 8_000)
  const before = made({ trades, before: undefined, gaps: [] }).totals!
  const whole = made({ trades, before, gaps: [] }).bars
  const random = createRandom(5)
  for (let n = 0; n < 20; n++) {
    const cut = Math.floor(random() * trades.length)
    const { bars } = made({ trades: trades.slice(0, cut), before, gaps: [] })
    for (const [place, of_kind] of bars.entries()) {
      expect(of_kind).toEqual(whole[place]!.slice(0, of_kind.length))
      const next = whole[place]![of_kind.length]
      expect(next === undefined || next.last_trade_id > cut).toBe(true)
    }
  }
})
