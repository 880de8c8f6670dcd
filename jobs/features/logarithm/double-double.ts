/**
 * Double-double arithmetic: the unrounded sum of two doubles, about 106 bits. One operation errs by
 * less than 2^-102 of its result. A result rounded to `hi` is the double nearest to the exact
 * value, unless the exact value is within that error of the midpoint between two doubles.
 * Dekker (1971), A floating-point technique for extending the available precision.
 */

/** hi + lo, where hi is the double nearest to it. */
export interface Wide {
  readonly hi: number
  readonly lo: number
}

export const WIDE_ZERO: Wide = { hi: 0, lo: 0 }

/** 2^27 + 1: splits a double into two halves of 26 bits. */
const CUT = 134_217_729

export function wide(value: number): Wide {
  return { hi: value, lo: 0 }
}

/** Exact up to 106 bits. */
export function wideOfInteger(value: number | bigint): Wide {
  const hi = Number(value)
  return { hi, lo: typeof value === 'number' ? 0 : Number(value - BigInt(hi)) }
}

export function addWide(a: Wide, b: Wide): Wide {
  const sum = a.hi + b.hi
  const part = sum - a.hi
  const high_rest = a.hi - (sum - part) + (b.hi - part)
  const low = a.lo + b.lo
  const low_part = low - a.lo
  const low_rest = a.lo - (low - low_part) + (b.lo - low_part)
  const middle = high_rest + low
  const hi = sum + middle
  return normal(hi, middle - (hi - sum) + low_rest)
}

export function negateWide({ hi, lo }: Wide): Wide {
  return { hi: -hi, lo: -lo }
}

export function multiplyWide(a: Wide, b: Wide): Wide {
  const product = a.hi * b.hi
  return normal(product, productRest(a.hi, b.hi, product) + (a.hi * b.lo + a.lo * b.hi))
}

export function divideWide(a: Wide, b: Wide): Wide {
  const first = a.hi / b.hi
  const rest = addWide(a, negateWide(multiplyWide(b, wide(first))))
  const second = rest.hi / b.hi
  const last = addWide(rest, negateWide(multiplyWide(b, wide(second)))).hi / b.hi
  return addWide(normal(first, second), wide(last))
}

function normal(hi: number, lo: number): Wide {
  const sum = hi + lo
  return { hi: sum, lo: lo - (sum - hi) }
}

/** a x b minus its rounded product: exact. */
function productRest(a: number, b: number, product: number): number {
  const [a_cut, b_cut] = [a * CUT, b * CUT]
  const [a_high, b_high] = [a_cut - (a_cut - a), b_cut - (b_cut - b)]
  const [a_low, b_low] = [a - a_high, b - b_high]
  return a_high * b_high - product + a_high * b_low + a_low * b_high + a_low * b_low
}
