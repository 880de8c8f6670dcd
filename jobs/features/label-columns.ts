/**
 * Labels: log returns of the mid over the seconds after a row; null across gaps. Each is the double
 * nearest to the logarithm of the quotient of the exact mids.
 */
import { LABEL_COLUMNS, LABEL_HORIZONS } from '#core/features/label.ts'
import type { Columns } from '../day/grid-columns.ts'
import type { MidReturns } from './mid-returns.ts'
import type { QuoteResult } from './quote-columns.ts'

export function labelColumns(
  { columns: { mid_close }, cut }: QuoteResult,
  returns: MidReturns,
): Columns<string> {
  const whole_from = wholeFrom(mid_close, cut)
  return Object.fromEntries(
    LABEL_HORIZONS.map((seconds, i) => [
      LABEL_COLUMNS[i]!.name,
      mid_close.map((_, row) => {
        const later = row + seconds
        const is_known = later < mid_close.length && whole_from[later]! <= row
        return is_known ? returns.between(row, later).hi : NaN
      }),
    ]),
  )
}

/**
 * For each row, the earliest row whose end is connected to this row's end without a gap. If this
 * row's own mid is unknown, the row after it.
 */
function wholeFrom(mid_close: Float64Array, cut: Uint8Array): Int32Array {
  const from = new Int32Array(mid_close.length)
  for (let row = 0; row < from.length; row++) {
    if (Number.isNaN(mid_close[row])) from[row] = row + 1
    else if (cut[row] === 1 || row === 0) from[row] = row
    else from[row] = from[row - 1]!
  }
  return from
}
