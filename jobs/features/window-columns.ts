/** Features over the last seconds: pure functions of columns that are done. */
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
    ofi_2s: trailingSum(uncut_ofi, 2),
    ofi_3s: trailingSum(uncut_ofi, 3),
    bipower_variation,
    [`realised_variance_${VARIANCE_WINDOW}s`]: trailingSum(realised_variance, VARIANCE_WINDOW),
    [`bipower_variation_${VARIANCE_WINDOW}s`]: trailingSum(bipower_variation, VARIANCE_WINDOW - 1),
    [`kyle_lambda_${LAMBDA_WINDOW}s`]: kyleLambda(
      quotes.mid_close,
      realised_variance,
      signedVolume(trades),
    ),
  }
}

/**
 * Sum of the last `length` values; NaN where one of them is, or where there are fewer. Each sum
 * is made anew, oldest first: a running one would keep what rounding left of values long gone.
 */
export function trailingSum(values: Float64Array, length: number): Float64Array {
  const sums = new Float64Array(values.length).fill(NaN)
  for (let row = 0, known = 0; row < values.length; row++) {
    known = Number.isNaN(values[row]) ? 0 : known + 1
    if (known < length) continue
    let sum = 0
    for (let i = row - length + 1; i <= row; i++) sum += values[i]!
    sums[row] = sum
  }
  return sums
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

function signedVolume({ buy_volume, sell_volume }: TradeColumns): Float64Array {
  return buy_volume.map((bought, row) => bought - sell_volume[row]!)
}

/**
 * Kyle's lambda: the slope of the least-squares line of the mid's changes over the signed volume
 * of the same seconds. A second counts where both are known; one where they are not ends the
 * window. Kyle (1985), "Continuous Auctions and Insider Trading".
 */
function kyleLambda(
  mid_close: Float64Array,
  realised_variance: Float64Array,
  signed_volume: Float64Array,
): Float64Array {
  const lambda = new Float64Array(mid_close.length).fill(NaN)
  for (let row = 0, known = 0; row < lambda.length; row++) {
    // Where there is a return there is a change: the same gaps make both null.
    const is_known =
      row > 0 && !Number.isNaN(realised_variance[row]) && !Number.isNaN(signed_volume[row])
    known = is_known ? Math.min(known + 1, LAMBDA_WINDOW) : 0
    if (known >= LAMBDA_MIN) lambda[row] = slope(mid_close, signed_volume, row - known + 1, row)
  }
  return lambda
}

/** Rows `first` to `last`; NaN where the volume does not vary. */
function slope(
  mid_close: Float64Array,
  signed_volume: Float64Array,
  first: number,
  last: number,
): number {
  const count = last - first + 1
  let mean_volume = 0
  for (let row = first; row <= last; row++) mean_volume += signed_volume[row]!
  mean_volume /= count
  const mean_change = (mid_close[last]! - mid_close[first - 1]!) / count
  let covariance = 0
  let variance = 0
  let does_vary = false
  for (let row = first; row <= last; row++) {
    const deviation = signed_volume[row]! - mean_volume
    covariance += deviation * (mid_close[row]! - mid_close[row - 1]! - mean_change)
    variance += deviation * deviation
    if (signed_volume[row] !== signed_volume[first]) does_vary = true
  }
  // Rounding may leave a little variance where there is none.
  return does_vary ? covariance / variance : NaN
}
