/**
 * Natural logarithms of exact decimals and of their quotients, to more than 80 bits, so that values
 * computed from them can be rounded once at the end. Math.log does not serve. Its argument is a
 * rounded quotient, which costs a small return a third of its digits. Its last bit also depends on
 * the engine.
 */
import { type Decimal, integersOf, nearest } from '#core/decimals.ts'
import {
  addWide,
  divideWide,
  multiplyWide,
  negateWide,
  type Wide,
  wide,
  WIDE_ZERO,
  wideOfInteger,
} from './double-double.ts'

/** ln(a / b); both above 0. Equal ratios give equal results, however a and b are written. */
export function logRatio(a: Decimal, b: Decimal): Wide {
  const [top, bottom] = integersOf(a, b)
  if (isSafe(top, bottom)) return logOfIntegers(Number(top), Number(bottom))
  const [n, d] = [BigInt(top), BigInt(bottom)]
  const divisor = commonDivisor(n, d)
  return isSafe(n / divisor, d / divisor)
    ? logOfIntegers(Number(n / divisor), Number(d / divisor))
    : logOfBigints(n / divisor, d / divisor)
}

/** ln(value), for a value above 0. The result is 0 only for 1. */
export function logOfDecimal(value: Decimal): Wide {
  if (nearest(value) === 1) return logRatio(value, ONE)
  const powers = multiplyWide(wide(-value.digits), LN_10)
  return addWide(logOf(wideOfInteger(value.units)), powers)
}

/** Like logRatio, for whole numbers whose sum is a safe integer. */
export function logOfIntegers(top: number, bottom: number): Wide {
  if (top === bottom) return WIDE_ZERO
  let [divisor, rest] = [top, bottom]
  while (rest !== 0) [divisor, rest] = [rest, divisor % rest]
  const [a, b] = [top / divisor, bottom / divisor]
  if (isNear(a, b)) return twiceAtanh(divideWide(wide(a - b), wide(a + b)))
  return logOf(divideWide(wide(a), wide(b)))
}

function isSafe(a: number | bigint, b: number | bigint): boolean {
  return Number(a) + Number(b) <= Number.MAX_SAFE_INTEGER
}

function commonDivisor(a: bigint, b: bigint): bigint {
  return b === 0n ? a : commonDivisor(b, a % b)
}

function logOfBigints(a: bigint, b: bigint): Wide {
  if (isNear(Number(a), Number(b))) {
    return twiceAtanh(divideWide(wideOfInteger(a - b), wideOfInteger(a + b)))
  }
  return logOf(divideWide(wideOfInteger(a), wideOfInteger(b)))
}

/** The exact difference decides, before anything is rounded. */
function isNear(a: number, b: number): boolean {
  return Math.abs(a - b) * 128 < a + b
}

/** ln x = k ln 2 + ln(c / 64) + ln(x / (2^k c / 64)), with c a whole number from 45 to 91. */
function logOf(x: Wide): Wide {
  const exponent = Math.round(Math.log2(x.hi))
  const power = 2 ** -exponent
  const mantissa = { hi: x.hi * power, lo: x.lo * power }
  const near = Math.round(mantissa.hi * CELLS)
  const cell = wide(near / CELLS)
  const rest = twiceAtanh(divideWide(addWide(mantissa, negateWide(cell)), addWide(mantissa, cell)))
  const of_cell = addWide(multiplyWide(wide(exponent), LN_2), LN_CELLS[near - CELL_MIN]!)
  return addWide(of_cell, rest)
}

/**
 * 2 atanh z = 2 z (1 + z^2 / 3 + z^4 / 5 + ..), |z| below 2^-7. Doubles are enough from the third
 * term on: they lose 2^-84 of the whole, or 2^-100 if |z| is below 2^-10.
 */
function twiceAtanh(z: Wide): Wide {
  const square = multiplyWide(z, z)
  const s = square.hi
  const tail = s * (1 / 5 + s * (1 / 7 + s * (1 / 9 + s * (1 / 11 + s * (1 / 13 + s / 15)))))
  const more = multiplyWide(multiplyWide(z, square), addWide(THIRD, wide(tail)))
  const half = addWide(z, more)
  return { hi: 2 * half.hi, lo: 2 * half.lo }
}

const THIRD = divideWide(wide(1), wide(3))

const CELLS = 64
/** The mantissa is between the square roots of 1/2 and 2. */
const CELL_MIN = 45
const CELL_MAX = 91
const ONE: Decimal = { units: 1, digits: 0 }
const LN_10 = slowLog(10, 1)
const LN_2 = slowLog(2, 1)
const LN_CELLS = Array.from({ length: CELL_MAX - CELL_MIN + 1 }, (_, i) =>
  slowLog(CELL_MIN + i, CELLS),
)

/** ln(a / b) by the atanh series alone; for the tables. */
function slowLog(a: number, b: number): Wide {
  const z = divideWide(wide(a - b), wide(a + b))
  const square = multiplyWide(z, z)
  let [sum, power] = [WIDE_ZERO, z]
  for (let n = 1; Math.abs(power.hi) > 2 ** -120; n += 2) {
    sum = addWide(sum, divideWide(power, wide(n)))
    power = multiplyWide(power, square)
  }
  return addWide(sum, sum)
}
