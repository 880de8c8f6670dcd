/**
 * Exact rationals from decimal texts, and the nearest double: an independent check of
 * core/decimals.ts. The nearest double is found by comparison with its neighbours.
 */
export interface Rational {
  readonly top: bigint
  /** Positive. */
  readonly bottom: bigint
}

export function rational(text: string): Rational {
  const [mantissa = '', exponent = '0'] = text.toLowerCase().split('e')
  const [whole = '', fraction = ''] = mantissa.split('.')
  const power = Number(exponent) - fraction.length
  const units = BigInt(whole + fraction)
  return power < 0
    ? { top: units, bottom: 10n ** BigInt(-power) }
    : { top: units * 10n ** BigInt(power), bottom: 1n }
}

/** Uses the larger denominator if the other divides it, as powers of ten do. */
export function sum(a: Rational, b: Rational): Rational {
  if (a.bottom < b.bottom) return sum(b, a)
  if (a.bottom % b.bottom === 0n)
    return { top: a.top + b.top * (a.bottom / b.bottom), bottom: a.bottom }
  return { top: a.top * b.bottom + b.top * a.bottom, bottom: a.bottom * b.bottom }
}
export const negated = ({ top, bottom }: Rational): Rational => ({ top: -top, bottom })
export const product = (a: Rational, b: Rational): Rational => ({
  top: a.top * b.top,
  bottom: a.bottom * b.bottom,
})
export const ratio = (a: Rational, b: Rational): Rational =>
  b.top < 0n
    ? { top: -a.top * b.bottom, bottom: -b.top * a.bottom }
    : { top: a.top * b.bottom, bottom: b.top * a.bottom }
export const total = (values: readonly Rational[]): Rational =>
  values.reduce(sum, { top: 0n, bottom: 1n })

/** Whether a finite double is the one nearest to the value, ties to even. */
export function isNearest(found: number, value: Rational): boolean {
  const here = distance(found, value)
  return [above(found), -above(-found)].every((other) => {
    const there = distance(other, value)
    const order = here.top * there.bottom - there.top * here.bottom
    return order < 0n || (order === 0n && isEven(found))
  })
}

function distance(double: number, value: Rational): Rational {
  const { top, bottom } = sum(exact(double), negated(value))
  return { top: top < 0n ? -top : top, bottom }
}

/** A double is an integer multiple of 2^-1074. */
function exact(double: number): Rational {
  const bits = bitsOf(double)
  const exponent = Number((bits >> 52n) & 0x7ffn)
  const fraction = bits & ((1n << 52n) - 1n)
  const mantissa = exponent === 0 ? fraction : fraction | (1n << 52n)
  const top = mantissa << BigInt(Math.max(exponent - 1, 0))
  return { top: double < 0 ? -top : top, bottom: 1n << 1074n }
}

function isEven(double: number): boolean {
  return (bitsOf(double) & 1n) === 0n
}

function above(double: number): number {
  if (double === 0) return Number.MIN_VALUE
  return doubleOf(bitsOf(double) + (double > 0 ? 1n : -1n))
}

const view = new DataView(new ArrayBuffer(8))

function bitsOf(double: number): bigint {
  view.setFloat64(0, double)
  return view.getBigUint64(0)
}

function doubleOf(bits: bigint): number {
  view.setBigUint64(0, bits)
  return view.getFloat64(0)
}
