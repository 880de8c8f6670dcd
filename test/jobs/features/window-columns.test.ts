/**
 * Windows and labels against slow implementations that follow the formulas, on random seconds with
 * gaps.
 */
import { expect, test } from 'vitest'
import { micros } from '#core/time.ts'
import { cutsOf, type StreamGap } from '../../../jobs/day/gaps.ts'
import { columnsFor } from '../../../jobs/day/grid-columns.ts'
import { gridOf } from '../../../jobs/day/grid.ts'
import { labelColumns } from '../../../jobs/features/label-columns.ts'
import { MidReturns } from '../../../jobs/features/mid-returns.ts'
import { QuoteFold, type QuoteResult } from '../../../jobs/features/quote-columns.ts'
import type { SideVolumes } from '../../../jobs/features/trade-columns.ts'
import { windowColumns } from '../../../jobs/features/window-columns.ts'
import { randomNumbers } from './random.ts'

const SECONDS = 2_000
const grid = gridOf(micros(0), micros((SECONDS - 1) * 1e6), 1e6)

/** Some seconds have no quote, some several. Gaps are within one second or cover many. */
function randomQuotes(seed: number): QuoteResult {
  const random = randomNumbers(seed)
  const gaps: StreamGap[] = []
  for (let s = 150; s < SECONDS; s += Math.floor(100 + random() * 500)) {
    const from = s + random()
    const length = random() < 0.5 ? 0.05 : random() * 20
    gaps.push({
      from_ts: micros(Math.round(from * 1e6)),
      to_ts: micros(Math.round((from + length) * 1e6)),
      from_id: null,
      to_id: null,
      cause: 'disconnect',
      repaired: random() < 0.2,
    })
  }
  const fold = new QuoteFold(grid, cutsOf(gaps))
  let price = 1_000
  for (let ts = 0.1e6, id = 1; ts < SECONDS * 1e6; ts += 1 + Math.floor(random() * 1.5e6), id++) {
    price += Math.round((random() - 0.5) * 4) / 10
    fold.add({
      row_count: 1,
      ts_exchange: Float64Array.of(Math.floor(ts)),
      update_id: Float64Array.of(id),
      best_bid: Float64Array.of(price),
      bid_qty: Float64Array.of(1 + Math.floor(random() * 9)),
      best_ask: Float64Array.of(price + 0.1),
      ask_qty: Float64Array.of(1 + Math.floor(random() * 9)),
    })
  }
  return fold.finish()
}

function randomTrades(seed: number): SideVolumes {
  const random = randomNumbers(seed)
  const names = ['buy_volume', 'sell_volume'] as const
  const columns = columnsFor(names, grid, 0)
  for (let row = 0; row < SECONDS; row++) {
    const is_blind = row % 701 === 700
    for (const name of names) columns[name][row] = is_blind ? NaN : Math.floor(random() * 5)
    // A quiet time, in which nothing varies.
    if (row >= 1_500 && row < 1_900) columns.buy_volume[row] = columns.sell_volume[row] = 0
  }
  return {
    buy_volume: { column: columns.buy_volume, rest: new Map() },
    sell_volume: { column: columns.sell_volume, rest: new Map() },
  }
}

type Value = number | null
const known = (value: number | undefined): Value =>
  value === undefined || Number.isNaN(value) ? null : value

/** One value per second, from a function that sees plain seconds. */
function slowly(valueAt: (row: number) => Value): readonly Value[] {
  return Array.from({ length: SECONDS }, (_, row) => valueAt(row))
}

/**
 * Rows that differ. Fails if nearly all rows, or nearly none, are known: that would prove little.
 */
function differences(
  column: Float64Array,
  expected: readonly Value[],
  least: number,
): readonly unknown[] {
  const known_count = expected.filter((value) => value !== null).length
  expect(known_count).toBeGreaterThanOrEqual(least)
  expect(known_count).toBeLessThan(SECONDS)
  return expected.flatMap((value, row) => {
    const found = known(column[row])
    const is_same =
      value === null || found === null
        ? found === value
        : Math.abs(found - value) <= 1e-9 * Math.abs(value) + 1e-15
    return is_same ? [] : [{ row, found, value }]
  })
}

for (const seed of [1, 2, 3]) {
  const quotes = randomQuotes(seed)
  const trades = randomTrades(seed + 100)
  const windows = windowColumns(quotes, trades, new MidReturns(quotes))
  const mid = (row: number): Value => known(quotes.columns.mid_close[row])
  const isCut = (row: number): boolean => quotes.cut[row] === 1
  const logReturn = (row: number): Value => {
    const [before, now] = [mid(row - 1), mid(row)]
    return before === null || now === null || isCut(row) ? null : Math.log(now) - Math.log(before)
  }
  const rows = (last: number, count: number): readonly number[] =>
    Array.from({ length: count }, (_, i) => last - count + 1 + i)
  const sumOf = (values: readonly Value[]): Value =>
    values.some((value) => value === null)
      ? null
      : values.reduce<number>((sum, value) => sum + value!, 0)

  test(`seed ${seed}: ofi of 2 and 3 s is the sum of whole seconds`, () => {
    for (const count of [2, 3]) {
      const expected = slowly((row) =>
        sumOf(rows(row, count).map((r) => (isCut(r) ? null : known(quotes.columns.ofi[r])))),
      )
      expect(differences(windows[`ofi_${count}s`]!, expected, 1_000)).toEqual([])
    }
  })

  test(`seed ${seed}: realised variance and bipower variation over 60 s`, () => {
    const bipower = slowly((row) => {
      const [before, now] = [logReturn(row - 1), logReturn(row)]
      return before === null || now === null
        ? null
        : (Math.PI / 2) * Math.abs(now) * Math.abs(before)
    })
    expect(differences(windows['bipower_variation']!, bipower, 1_000)).toEqual([])
    const variance = slowly((row) =>
      sumOf(
        rows(row, 60).map((r) => {
          const value = logReturn(r)
          return value === null ? null : value ** 2
        }),
      ),
    )
    expect(differences(windows['realised_variance_60s']!, variance, 100)).toEqual([])
    const bipower_60s = slowly((row) =>
      variance[row] === null ? null : sumOf(rows(row, 59).map((r) => bipower[r]!)),
    )
    expect(differences(windows['bipower_variation_60s']!, bipower_60s, 100)).toEqual([])
  })

  test(`seed ${seed}: Kyle's lambda is Cov / Var over known seconds since the last gap`, () => {
    const pair = (row: number): readonly [number, number] | null => {
      const [bought, sold] = [
        known(trades.buy_volume.column[row]),
        known(trades.sell_volume.column[row]),
      ]
      const is_known = bought !== null && sold !== null && logReturn(row) !== null
      return is_known ? [mid(row)! - mid(row - 1)!, bought - sold] : null
    }
    const mean = (values: readonly number[]): number =>
      values.reduce((a, b) => a + b, 0) / values.length
    const expected = slowly((row) => {
      const pairs: (readonly [number, number])[] = []
      for (let r = row; pairs.length < 300; r--) {
        const one = pair(r)
        if (one === null) break
        pairs.push(one)
      }
      if (pairs.length < 60) return null
      const [changes, volumes] = [
        pairs.map(([change]) => change),
        pairs.map(([, volume]) => volume),
      ]
      const variance = mean(volumes.map((v) => v * v)) - mean(volumes) ** 2
      if (variance === 0) return null
      return (
        (mean(changes.map((c, i) => c * volumes[i]!)) - mean(changes) * mean(volumes)) / variance
      )
    })
    const column = windows['kyle_lambda_300s']!
    for (const [row, value] of expected.entries()) {
      if (value === null) expect(column[row], `row ${row}`).toBeNaN()
      else expect(column[row], `row ${row}`).toBeCloseTo(value, 9)
    }
    expect(expected.filter((value) => value !== null).length).toBeGreaterThan(300)
  })

  test(`seed ${seed}: a label is the return to a later second, not across a gap or the end`, () => {
    const labels = labelColumns(quotes, new MidReturns(quotes))
    for (const horizon of [1, 5, 30, 60]) {
      const expected = slowly((row) => {
        const between = rows(row + horizon, horizon)
        const [now, later] = [mid(row), mid(row + horizon)]
        if (now === null || later === null || row + horizon >= SECONDS) return null
        return between.some((r) => isCut(r) || mid(r) === null) ? null : Math.log(later / now)
      })
      expect(differences(labels[`forward_log_return_${horizon}s`]!, expected, 500)).toEqual([])
      expect(labels[`forward_log_return_${horizon}s`]!.slice(-horizon).every(Number.isNaN)).toBe(
        true,
      )
    }
  })
}

test('mirrored books and takers negate directed values, and leave variance alone', () => {
  const quotes = randomQuotes(9)
  const trades = randomTrades(9)
  const { columns } = quotes
  const mirrored: QuoteResult = {
    ...quotes,
    columns: {
      ...columns,
      best_bid: columns.best_ask.map((price) => 5_000 - price),
      best_ask: columns.best_bid.map((price) => 5_000 - price),
    },
    ofi: { column: columns.ofi.map((value) => 0 - value), rest: new Map() },
  }
  const swapped = { buy_volume: trades.sell_volume, sell_volume: trades.buy_volume }
  const one = windowColumns(quotes, trades, new MidReturns(quotes))
  const other = windowColumns(mirrored, swapped, new MidReturns(mirrored))
  for (const name of ['ofi_2s', 'ofi_3s']) {
    expect(other[name]).toEqual(one[name]!.map((value) => 0 - value))
  }
  // Price and volume both change sign, so the slope does not.
  for (const [row, value] of one['kyle_lambda_300s']!.entries()) {
    if (!Number.isNaN(value)) expect(other['kyle_lambda_300s']![row]).toBeCloseTo(value, 9)
  }
})
