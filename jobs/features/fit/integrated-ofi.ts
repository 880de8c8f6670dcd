/**
 * Integrated OFI: the imbalances of ten levels as one number, weighted by the direction in which
 * they vary most. Cont, Cucuringu & Zhang (2023), arXiv 2112.13213.
 */
import { BOOK_LEVELS } from '#core/features/book.ts'
import type { BookValues } from '../book-columns.ts'
import { firstComponent } from './linear.ts'

/** A fit needs at least this many seconds with updates. */
const SECONDS_MIN = 300

/** One weight per level; absolute values add up to 1. Undefined if there is too little data. */
export function fitWeights(book: BookValues): readonly number[] | undefined {
  const { counts, sums, products } = momentsOf(book)
  if (counts < SECONDS_MIN) return undefined
  const covariance = products.map((row, i) =>
    row.map((value, j) => value / counts - (sums[i]! / counts) * (sums[j]! / counts)),
  )
  const component = firstComponent(covariance)
  if (component === undefined) return undefined
  const norm = component.reduce((total, value) => total + Math.abs(value), 0)
  return Array.from(component, (value) => value / norm)
}

/** Moments of the normalised imbalances, over seconds with all ten levels and an update. */
function momentsOf(book: BookValues): {
  readonly counts: number
  readonly sums: Float64Array
  readonly products: readonly Float64Array[]
} {
  const levels = levelColumns(book)
  const level_qty_mean = book['level_qty_mean']!
  const depth_update_count = book['depth_update_count']!
  const sums = new Float64Array(BOOK_LEVELS)
  const products = Array.from({ length: BOOK_LEVELS }, () => new Float64Array(BOOK_LEVELS))
  const values = new Float64Array(BOOK_LEVELS)
  let counts = 0
  for (let row = 0; row < level_qty_mean.length; row++) {
    if (!(depth_update_count[row]! > 0)) continue
    for (let rank = 0; rank < BOOK_LEVELS; rank++) {
      values[rank] = levels[rank]![row]! / level_qty_mean[row]!
    }
    if (!values.every(Number.isFinite)) continue
    counts += 1
    for (let i = 0; i < BOOK_LEVELS; i++) {
      sums[i]! += values[i]!
      for (let j = 0; j < BOOK_LEVELS; j++) products[i]![j]! += values[i]! * values[j]!
    }
  }
  return { counts, sums, products }
}

function levelColumns(book: BookValues): readonly Float64Array[] {
  return Array.from({ length: BOOK_LEVELS }, (_, rank) => book[`mlofi_${rank + 1}`]!)
}
