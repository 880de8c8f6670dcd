/**
 * Features over the last seconds. They are computed from exact values and rounded once. Those that
 * use logarithms are computed at twice a double's precision (logarithm/double-double.ts).
 */
import { type Decimal, minus, nearest, plus, quotient, times, ZERO } from '#core/decimals.ts'
import { LAMBDA_MIN, LAMBDA_WINDOW, VARIANCE_WINDOW } from '#core/features/window.ts'
import type { Columns } from '../day/grid-columns.ts'
import { type ExactColumn, exactAt } from './exact-column.ts'
import { multiplyWide, type Wide } from './logarithm/double-double.ts'
import type { MidReturns } from './mid-returns.ts'
import type { QuoteResult } from './quote-columns.ts'
import type { SideVolumes } from './trade-columns.ts'
import { trailingSums, WideColumn } from './wide-column.ts'

/** `first_row`: row of the day's grid at which the inputs begin. */
export function windowColumns(
  { ofi, cut }: Pick<QuoteResult, 'ofi' | 'cut'>,
  trades: SideVolumes,
  returns: MidReturns,
  first_row = 0,
): Columns<string> {
  const changes = logReturns(returns)
  const squares = WideColumn.of(cut.length, (row) => {
    const change = changes[row]
    return change && multiplyWide(change, change)
  })
  const products = bipowerVariation(changes)
  return {
    ofi_2s: trailingOfi(ofi, cut, 2),
    ofi_3s: trailingOfi(ofi, cut, 3),
    realised_variance: squares.hi,
    bipower_variation: products.hi,
    [`realised_variance_${VARIANCE_WINDOW}s`]: trailingSums(squares, VARIANCE_WINDOW, first_row),
    [`bipower_variation_${VARIANCE_WINDOW}s`]: trailingSums(
      products,
      VARIANCE_WINDOW - 1,
      first_row,
    ),
    [`kyle_lambda_${LAMBDA_WINDOW}s`]: kyleLambda(returns, trades),
  }
}

/** The double nearest to the sum of the last `length` rows; NaN if one is null or is cut. */
function trailingOfi(ofi: ExactColumn, cut: Uint8Array, length: number): Float64Array {
  const sums = new Float64Array(cut.length).fill(NaN)
  for (let row = 0, known = 0; row < cut.length; row++) {
    known = cut[row] === 1 || Number.isNaN(ofi.column[row]) ? 0 : known + 1
    if (known < length) continue
    let sum = ZERO
    for (let at = row - length + 1; at <= row; at++) sum = plus(sum, exactAt(ofi, at))
    sums[row] = nearest(sum)
  }
  return sums
}

/** r = ln(m_t / m_(t-1)) per second; undefined is null. */
function logReturns(returns: MidReturns): readonly (Wide | undefined)[] {
  return Array.from({ length: returns.row_count }, (_, row) =>
    returns.isKnown(row) ? returns.between(row - 1, row) : undefined,
  )
}

/**
 * (pi/2) |r_t| |r_(t-1)|. Its sum estimates variance as realised variance does, but without jumps,
 * because two jumps rarely follow each other. Barndorff-Nielsen & Shephard (2004), "Power and
 * Bipower Variation with Stochastic Volatility and Jumps".
 */
function bipowerVariation(changes: readonly (Wide | undefined)[]): WideColumn {
  return WideColumn.of(changes.length, (row) => {
    const [before, now] = [changes[row - 1], changes[row]]
    return before && now && multiplyWide(HALF_PI, absolute(multiplyWide(before, now)))
  })
}

/** pi / 2 to 106 bits. */
const HALF_PI: Wide = { hi: Math.PI / 2, lo: 6.123_233_995_736_766e-17 }

function absolute(value: Wide): Wide {
  return value.hi < 0 ? { hi: -value.hi, lo: -value.lo } : value
}

/**
 * Kyle's lambda: the slope of the least-squares line of the mid's changes over the signed volume of
 * the same seconds. The window ends at a second in which either is unknown. Exact sums, one
 * quotient. Kyle (1985), "Continuous Auctions and Insider Trading".
 */
function kyleLambda(returns: MidReturns, { buy_volume, sell_volume }: SideVolumes): Float64Array {
  const lambda = new Float64Array(returns.row_count).fill(NaN)
  const points: Point[] = []
  let moments = NO_MOMENTS
  for (let row = 0; row < lambda.length; row++) {
    // If the return is known, so is the change of the mid: the same gaps make both null.
    const is_known = row > 0 && returns.isKnown(row) && !Number.isNaN(buy_volume.column[row])
    if (!is_known) {
      points.length = 0
      moments = NO_MOMENTS
      continue
    }
    const point = {
      x: minus(exactAt(buy_volume, row), exactAt(sell_volume, row)),
      y: minus(returns.midAt(row), returns.midAt(row - 1)),
    }
    points.push(point)
    moments = moved(moments, point, plus)
    if (points.length > LAMBDA_WINDOW) moments = moved(moments, points.shift()!, minus)
    if (points.length >= LAMBDA_MIN) lambda[row] = slope(moments, points.length)
  }
  return lambda
}

/** Signed volume and change of the mid in one second. */
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

/** Adds or removes a point. The sums are exact, so a removed point leaves no rounding error. */
function moved(sums: Moments, { x, y }: Point, change: typeof plus): Moments {
  return {
    x: change(sums.x, x),
    y: change(sums.y, y),
    xy: change(sums.xy, times(x, y)),
    xx: change(sums.xx, times(x, x)),
  }
}

/** NaN if x does not vary. */
function slope({ x, y, xy, xx }: Moments, point_count: number): number {
  const n = { units: point_count, digits: 0 }
  return quotient(minus(times(n, xy), times(x, y)), minus(times(n, xx), times(x, x)))
}
