/** Linear algebra for the fits. The same numbers give the same bits. */

/**
 * Solves left X = right by elimination with row pivoting, and overwrites both. Undefined if `left`
 * has no inverse.
 */
export function solve(
  left: Float64Array[],
  right: Float64Array[],
): readonly Float64Array[] | undefined {
  const size = left.length
  for (let column = 0; column < size; column++) {
    let pivot = column
    for (let row = column + 1; row < size; row++) {
      if (Math.abs(left[row]![column]!) > Math.abs(left[pivot]![column]!)) pivot = row
    }
    if (Math.abs(left[pivot]![column]!) < SINGULAR) return undefined
    swap(left, pivot, column)
    swap(right, pivot, column)
    for (let row = 0; row < size; row++) {
      if (row === column) continue
      const factor = left[row]![column]! / left[column]![column]!
      if (factor === 0) continue
      subtract(left[row]!, left[column]!, factor)
      subtract(right[row]!, right[column]!, factor)
    }
  }
  return right.map((values, row) => values.map((value) => value / left[row]![row]!))
}

/**
 * The direction in which vectors with this covariance vary most, with length 1 and a sum of at
 * least 0; undefined if they do not vary. Uses power iteration.
 */
export function firstComponent(covariance: readonly Float64Array[]): Float64Array | undefined {
  const size = covariance.length
  let vector = new Float64Array(size).fill(1 / Math.sqrt(size))
  for (let count = 0; count < ITERATIONS; count++) {
    const product = Float64Array.from(covariance, (row) => dot(row, vector))
    const length = Math.sqrt(dot(product, product))
    if (!(length > 0)) return undefined
    vector = product.map((value) => value / length)
  }
  const sum = vector.reduce((total, value) => total + value, 0)
  return sum < 0 ? vector.map((value) => 0 - value) : vector
}

const SINGULAR = 1e-12
const ITERATIONS = 500

function swap(rows: Float64Array[], a: number, b: number): void {
  const row = rows[a]!
  rows[a] = rows[b]!
  rows[b] = row
}

function subtract(row: Float64Array, other: Float64Array, factor: number): void {
  for (let i = 0; i < row.length; i++) row[i]! -= factor * other[i]!
}

function dot(a: Float64Array, b: Float64Array): number {
  let sum = 0
  for (let i = 0; i < a.length; i++) sum += a[i]! * b[i]!
  return sum
}
