/**
 * Exact arithmetic on the exchange's decimals. A stored double is the nearest one to the exchange's
 * decimal, and that decimal is the shortest text that reads back as the double. So the code
 * recovers the decimal, computes sums and products with integers, and rounds once at the end: to
 * the nearest double, ties to even, for quotients too.
 *
 * An integer is a number while it is safe and a bigint beyond that; one formula serves both.
 */

/** An integer; of type number only if it is safe. */
type Int = number | bigint

/** units / 10^digits. */
export interface Decimal {
  readonly units: Int
  readonly digits: number
}

export const ZERO: Decimal = { units: 0, digits: 0 }

/** Two decimals of at most 15 significant digits never share a double. */
const UNITS_MAX = 1e15
/** Powers of ten that are exact as doubles. */
const POWERS = Array.from({ length: 23 }, (_, digits) => Number(`1e${digits}`))
/** Bits of a quotient before rounding: more than a double has, plus one for the remainder. */
const QUOTIENT_BITS = 66

/** The decimal that a finite double represents. */
export function decimalOf(value: number): Decimal {
  for (let digits = 0; digits < POWERS.length; digits++) {
    const power = POWERS[digits]!
    const units = Math.round(value * power)
    if (!(Math.abs(units) <= UNITS_MAX)) break
    if (units / power === value) return { units, digits }
  }
  return decimalOfText(String(value))
}

export function plus(a: Decimal, b: Decimal): Decimal {
  if (a.digits < b.digits) return plus(b, a)
  return { units: add(a.units, shifted(b.units, a.digits - b.digits)), digits: a.digits }
}

export function minus(a: Decimal, b: Decimal): Decimal {
  return plus(a, { units: -b.units, digits: b.digits })
}

export function times(a: Decimal, b: Decimal): Decimal {
  return { units: multiply(a.units, b.units), digits: a.digits + b.digits }
}

export function half(value: Decimal): Decimal {
  return { units: multiply(value.units, 5), digits: value.digits + 1 }
}

export function absolute(value: Decimal): Decimal {
  return value.units < 0 ? { units: -value.units, digits: value.digits } : value
}

/** Negative, 0 or positive, as a is less than, equal to or greater than b. */
export function compare(a: Decimal, b: Decimal): number {
  const [x, y] = integersOf(a, b)
  return x < y ? -1 : x > y ? 1 : 0
}

/** The greatest integer that is at most a / b, for b > 0. */
export function floorRatio(a: Decimal, b: Decimal): Int {
  const [x, y] = integersOf(a, b)
  // The quotient of two safe integers never rounds to an integer that it is not.
  if (typeof x === 'number' && typeof y === 'number') return Math.floor(x / y)
  const [top, bottom] = [BigInt(x), BigInt(y)]
  const whole = top / bottom
  return top < 0n && whole * bottom !== top ? whole - 1n : whole
}

/** Two integers whose ratio is a / b. */
export function integersOf(a: Decimal, b: Decimal): readonly [Int, Int] {
  const shift = b.digits - a.digits
  return shift >= 0 ? [shifted(a.units, shift), b.units] : [a.units, shifted(b.units, -shift)]
}

/** The exact sum of finite values. */
export function sumOf(values: Iterable<number>): Decimal {
  let sum = ZERO
  for (const value of values) sum = plus(sum, decimalOf(value))
  return sum
}

/** The nearest double. */
export function nearest({ units, digits }: Decimal): number {
  return nearestRatio(units, shifted(1, digits))
}

/** The double nearest to a / b; NaN if b is 0. */
export function quotient(a: Decimal, b: Decimal): number {
  const [top, bottom] = integersOf(a, b)
  return nearestRatio(top, bottom)
}

/** The double nearest to a - b; NaN if a or b is. */
export function difference(a: number, b: number): number {
  return Number.isNaN(a - b) ? NaN : nearest(minus(decimalOf(a), decimalOf(b)))
}

/** The double nearest to (a + b) / 2; NaN if a or b is. */
export function middle(a: number, b: number): number {
  return Number.isNaN(a + b) ? NaN : nearest(half(plus(decimalOf(a), decimalOf(b))))
}

/**
 * The decimal places needed for every value seen so far, of a stream's prices or of its
 * quantities. With them, one multiplication turns a double into its integer.
 */
export class Scale {
  #digits = 0
  #power = 1

  get digits(): number {
    return this.#digits
  }

  /** value x 10^digits; NaN if that needs a bigint. May raise `digits`. */
  unitsOf(value: number): number {
    const units = Math.round(value * this.#power)
    const is_exact = units / this.#power === value && Math.abs(units) <= UNITS_MAX
    return is_exact ? units : this.#grow(value)
  }

  /** Same result as the function `middle`, but faster. */
  middle(a: number, b: number): number {
    // `a` is read twice, because `b` may raise the digits.
    this.unitsOf(a)
    const sum = this.unitsOf(b) + this.unitsOf(a)
    return Number.isNaN(sum) ? middle(a, b) : sum / (2 * this.#power)
  }

  #grow(value: number): number {
    if (!Number.isFinite(value)) return NaN
    const { units, digits } = decimalOf(value)
    if (typeof units === 'bigint' || digits <= this.#digits || digits >= POWERS.length) return NaN
    this.#digits = digits
    this.#power = POWERS[digits]!
    return units
  }
}

/** An exact sum: one safe integer as long as it fits, plus the rest. */
export class DecimalSum {
  #units = 0
  #digits = 0
  #rest = ZERO

  get value(): Decimal {
    return plus({ units: this.#units, digits: this.#digits }, this.#rest)
  }

  reset(): void {
    this.#units = 0
    this.#rest = ZERO
  }

  add(scale: Scale, value: number): void {
    const units = scale.unitsOf(value)
    if (!this.#addUnits(units, scale.digits)) this.#spill(decimalOf(value))
  }

  subtract(scale: Scale, value: number): void {
    const units = scale.unitsOf(value)
    if (!this.#addUnits(-units, scale.digits)) this.#spill(decimalOf(-value))
  }

  addProduct(scale_a: Scale, a: number, scale_b: Scale, b: number): void {
    const units = scale_a.unitsOf(a) * scale_b.unitsOf(b)
    const is_added = this.#addUnits(units, scale_a.digits + scale_b.digits)
    if (!is_added) this.#spill(times(decimalOf(a), decimalOf(b)))
  }

  /** Returns false and adds nothing if the sum would not be a safe integer. */
  #addUnits(units: number, digits: number): boolean {
    if (digits !== this.#digits) {
      if (digits < this.#digits) return false
      this.#spill({ units: this.#units, digits: this.#digits })
      this.#units = 0
      this.#digits = digits
    }
    const sum = this.#units + units
    const is_exact =
      Math.abs(units) <= Number.MAX_SAFE_INTEGER && Math.abs(sum) <= Number.MAX_SAFE_INTEGER
    if (is_exact) this.#units = sum
    return is_exact
  }

  #spill(value: Decimal): void {
    this.#rest = plus(this.#rest, value)
  }
}

function decimalOfText(text: string): Decimal {
  const [mantissa = '', exponent = '0'] = text.split('e')
  const [whole = '', fraction = ''] = mantissa.split('.')
  const units = BigInt(whole + fraction)
  const digits = fraction.length - Number(exponent)
  return digits >= 0 ? { units, digits } : { units: units * 10n ** BigInt(-digits), digits: 0 }
}

function add(a: Int, b: Int): Int {
  if (typeof a === 'number' && typeof b === 'number') {
    const sum = a + b
    if (Math.abs(sum) <= Number.MAX_SAFE_INTEGER) return sum
  }
  return BigInt(a) + BigInt(b)
}

function multiply(a: Int, b: Int): Int {
  if (typeof a === 'number' && typeof b === 'number') {
    const product = a * b
    if (Math.abs(product) <= Number.MAX_SAFE_INTEGER) return product
  }
  return BigInt(a) * BigInt(b)
}

/** units x 10^digits. */
function shifted(units: Int, digits: number): Int {
  if (digits === 0) return units
  // 10^15 is the largest power of ten that is a safe integer.
  return multiply(units, digits <= 15 ? POWERS[digits]! : 10n ** BigInt(digits))
}

function nearestRatio(a: Int, b: Int): number {
  if (typeof a === 'number' && typeof b === 'number') return b === 0 ? NaN : a / b + 0
  const [top, bottom] = [BigInt(a), BigInt(b)]
  if (bottom === 0n) return NaN
  if (top === 0n) return 0
  const is_negative = top < 0n !== bottom < 0n
  const [n, d] = [top < 0n ? -top : top, bottom < 0n ? -bottom : bottom]
  const shift = QUOTIENT_BITS - bitsOf(n) + bitsOf(d)
  const [dividend, divisor] = shift >= 0 ? [n << BigInt(shift), d] : [n, d << BigInt(-shift)]
  const whole = dividend / divisor
  // If there is a remainder, setting the last bit makes the rounding below correct.
  const ratio = Number(whole * divisor === dividend ? whole : whole | 1n) * 2 ** -shift
  return is_negative ? -ratio : ratio
}

/** The bit length, rounded up to a multiple of 4: QUOTIENT_BITS allows for the difference. */
function bitsOf(value: bigint): number {
  return value.toString(16).length * 4
}
