/** Logarithms and pi in multiples of 2^-400, from their series. */
import type { Rational } from '../../../core/rational.ts'

const BITS = 400n
export const UNIT = 1n << BITS
const LN_2 = logNear(2n, 1n)

/** ln(a / b) in units; both above 0. */
export function ln(a: bigint, b: bigint): bigint {
  let [top, bottom, twos] = [a, b, 0n]
  for (; top > 2n * bottom; twos++) bottom *= 2n
  for (; 2n * top < bottom; twos--) top *= 2n
  return twos * LN_2 + logNear(top, bottom)
}

export const inUnits = (top: bigint): Rational => ({ top, bottom: UNIT })

/** 2 atanh z, z = (a - b) / (a + b). */
function logNear(a: bigint, b: bigint): bigint {
  const z = ((a - b) << BITS) / (a + b)
  const square = (z * z) >> BITS
  let sum = 0n
  for (let [power, n] = [z, 1n]; power > 1n || power < -1n; n += 2n) {
    sum += power / n
    power = (power * square) / UNIT
  }
  return 2n * sum
}

/** Machin's formula: pi / 4 = 4 atan(1/5) - atan(1/239). */
export const PI = 4n * (4n * atanOfInverse(5n) - atanOfInverse(239n))

function atanOfInverse(x: bigint): bigint {
  let sum = 0n
  for (let [power, n] = [UNIT / x, 1n]; power !== 0n; n += 2n) {
    sum += n % 4n === 1n ? power / n : -power / n
    power /= x * x
  }
  return sum
}
