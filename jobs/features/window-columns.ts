/** Features over the last seconds: pure functions of columns that are done. */
import {
  type Decimal,
  decimalOf,
  minus,
  nearest,
  plus,
  quotient,
  sumOf,
  times,
  ZERO,
} from '#core/decimals.ts'
import { LAMBDA_MIN, LAMBDA_WINDOW, VARIANCE_WINDOW } from '#core/features/window.ts'
import type { Columns } from './columns.ts'
import type { QuoteResult } from './quote-columns.ts'
import type { TradeColumns } from './trade-columns.ts'

export function windowColumns(
  { columns: quotes, cut }: QuoteResult,
  trades: TradeColumns,
): Columns<string> {
  const uncut_ofi = quotes.ofi.map((value, row) => (cut[row] === 1 ? NaN : value))
  const { realised_variance } = quotes
  const bipower_variation = bipowerVariation(realised_variance)
  return {
    ofi_2s: trailingSum(uncut_ofi, 2, exactSum),
    ofi_3s: trailingSum(uncut_ofi, 3, exactSum),
    bipower_variation,
    [`realised_variance_${VARIANCE_WINDOW}s`]: trailingSum(realised_variance, VARIANCE_WINDOW, plainSum),
    [`bipower_variation_${VARIANCE_WINDOW}s`]: trailingSum(
      bipower_variation,
      VARIANCE_WINDOW - 1,
      plainSum,
    ),
    [`kyle_lambda_${LAMBDA_WINDOW}s`]: kyleLambda(
      quotes.mid_close,
      realised_variance,
      trades,
    ),
  }
}

/**
 * Sum of the last `length` values; NaN where one of them is, or where there are fewer. Each sum
 * is made anew: a running one would keep what rounding left of values long gone.
 */
export function trailingSum(
  values: Float64Array,
  length: number,
  sum: (values: Float64Array) => number,
): Float64Array {
  const sums = new Float64Array(values.length).fill(NaN)
  for (let row = 0, known = 0; row < values.length; row++) {
    known = Number.isNaN(values[row]) ? 0 : known + 1
    if (known >= length) sums[row] = sum(values.subarray(row - length + 1, row + 1))
  }
  return sums
}

/** The double nearest to the sum of the decimals. */
export function exactSum(values: Float64Array): number {
  return nearest(sumOf(values))
}

/** In doubles, from the first on: of values that are no decimals. */
export function plainSum(values: Float64Array): number {
  let sum = 0
  for (const value of values) sum += value
  return sum
}

/**
 * (pi/2) |r_t| |r_(t-1)|, from squared returns. It adds up, as realised variance does; jumps, which
 * seldom come twice in a row, leave no trace in it. Barndorff-Nielsen & Shephard (2004), "Power and
 * Bipower Variation with Stochastic Volatility and Jumps".
 */
function bipowerVariation(realised_variance: Float64Array): Float64Array {
  return realised_variance.map((square, row) => {
    const before = row === 0 ? NaN : realised_variance[row - 1]!
    return (Math.PI / 2) * Math.sqrt(square) * Math.sqrt(before)
  })
}

/**
 * Kyle's lambda: the slope of the least-squares line of the mid's changes over the signed volume
 * of the same seconds. A second counts where both are known; one where they are not ends the
 * window. Kyle (1985), "Continuous Auctions and Insider Trading". Exact sums, one quotient.
 */
function kyleLambda(
  mid_close: Float64Array,
  realised_variance: Float64Array,
  { buy_volume, sell_volume }: TradeColumns,
): Float64Array {
  const lambda = new Float64Array(mid_close.length).fill(NaN)
  const points: Point[] = []
  let moments = NO_MOMENTS
  for (let row = 0; row < lambda.length; row++) {
    // Where there is a return there is a change: the same gaps make both null.
    const is_known =
      row > 0 && !Number.isNaN(realised_variance[row]) && !Number.isNaN(buy_volume[row])
    if (!is_known) {
      points.length = 0
      moments = NO_MOMENTS
      continue
    }
    const point = {
      x: minus(decimalOf(buy_volume[row]!), decimalOf(sell_volume[row]!)),
      y: minus(decimalOf(mid_close[row]!), decimalOf(mid_close[row - 1]!)),
    }
    points.push(point)
    moments = moved(moments, point, plus)
    if (points.length > LAMBDA_WINDOW) moments = moved(moments, points.shift()!, minus)
    if (points.length >= LAMBDA_MIN) lambda[row] = slope(moments, points.length)
  }
  return lambda
}

/** Signed volume, and the change of the mid. */
interface Point {
  readonly x: Decimal
  readonly y: Decimal
}

interface Moments {
  readonly x: Decimal
  readonly y: Decimal
  readonly xy: Decimal
  readonly xx: Decimal
}

const NO_MOMENTS: Moments = { x: ZERO, y: ZERO, xy: ZERO, xx: ZERO }

/** With a point more, or less: the sums are exact, so nothing is left of one that is gone. */
function moved(sums: Moments, { x, y }: Point, change: typeof plus): Moments {
  return {
    x: change(sums.x, x),
    y: change(sums.y, y),
    xy: change(sums.xy, times(x, y)),
    xx: change(sums.xx, times(x, x)),
  }
}

/** NaN where x does not vary. */
function slope({ x, y, xy, xx }: Moments, point_count: number): number {
  const n = { units: point_count, digits: 0 }
  return quotient(minus(times(n, xy), times(x, y)), minus(times(n, xx), times(x, x)))
}
