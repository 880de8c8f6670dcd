/** Columns over several rows, and labels, as rationals: each computed only from its own rows. */
import type { VpinStart } from '../../../../jobs/features/fit/vpin.ts'
import { negated, product, rational, type Rational, sum, total } from '../../../core/rational.ts'
import { inUnits, ln, PI } from './logarithm.ts'
import { integer, minus, type QuoteRow, type Row, share, type TradeRow } from './quotes.ts'

const rowsBefore = (row: number, count: number): readonly number[] =>
  Array.from({ length: count }, (_, i) => row - count + 1 + i)

/** Undefined if one of them is undefined. */
function totalOf(values: readonly (Rational | undefined)[]): Rational | undefined {
  return values.every((value) => value !== undefined) ? total(values) : undefined
}

export function windowRows(
  quotes: readonly QuoteRow[],
  trades: readonly TradeRow[],
): readonly Row[] {
  const returns = quotes.map(({ mid, is_cut }, row) => {
    const before = quotes[row - 1]?.mid
    return mid === undefined || before === undefined || is_cut ? undefined : logOf(mid, before)
  })
  const squares = returns.map((r) => r && product(r, r))
  const products = returns.map((r, row) => {
    const before = returns[row - 1]
    if (r === undefined || before === undefined) return undefined
    const both = product(r, before)
    return product(absolute(both), inUnits(PI / 2n))
  })
  const uncut = quotes.map(({ ofi, is_cut }) => (is_cut ? undefined : ofi))
  const over = (
    values: readonly (Rational | undefined)[],
    row: number,
    count: number,
  ): Rational | undefined => totalOf(rowsBefore(row, count).map((at) => values[at]))
  return quotes.map((_, row) => ({
    ofi_2s: over(uncut, row, 2),
    ofi_3s: over(uncut, row, 3),
    realised_variance: squares[row],
    bipower_variation: products[row],
    realised_variance_60s: over(squares, row, 60),
    bipower_variation_60s: over(products, row, 59),
    kyle_lambda_300s: kyleLambda(quotes, trades, returns, row),
  }))
}

function kyleLambda(
  quotes: readonly QuoteRow[],
  trades: readonly TradeRow[],
  returns: readonly (Rational | undefined)[],
  row: number,
): Rational | undefined {
  const points: { readonly x: Rational; readonly y: Rational }[] = []
  for (let at = row; at > 0 && points.length < 300; at--) {
    const { bought, sold } = trades[at]!
    if (returns[at] === undefined || bought === undefined) break
    points.push({ x: minus(bought, sold!), y: minus(quotes[at]!.mid!, quotes[at - 1]!.mid!) })
  }
  if (points.length < 60) return undefined
  const n = integer(points.length)
  const [x, y] = [total(points.map((p) => p.x)), total(points.map((p) => p.y))]
  const xy = total(points.map((p) => product(p.x, p.y)))
  const xx = total(points.map((p) => product(p.x, p.x)))
  return share(minus(product(n, xy), product(x, y)), minus(product(n, xx), product(x, x)))
}

export function labelRows(quotes: readonly QuoteRow[]): readonly Row[] {
  return quotes.map(({ mid }, row) =>
    Object.fromEntries(
      [1, 5, 30, 60].map((seconds) => {
        const between = rowsBefore(row + seconds, seconds).map((at) => quotes[at])
        const is_known =
          mid !== undefined && between.every((quote) => quote?.mid !== undefined && !quote.is_cut)
        return [
          `forward_log_return_${seconds}s`,
          is_known ? logOf(between.at(-1)!.mid!, mid) : undefined,
        ]
      }),
    ),
  )
}

function logOf(a: Rational, b: Rational): Rational {
  return inUnits(ln(a.top * b.bottom, b.top * a.bottom))
}

const absolute = (value: Rational): Rational => (value.top < 0n ? negated(value) : value)

/** Fifty buckets whose volume comes from the day before; seconds are split by volume. */
export function vpinRows(trades: readonly TradeRow[], start: VpinStart): readonly Row[] {
  const size = rational(String(start.bucket_volume))
  let full = start.imbalances.map((value) => rational(String(value)))
  let balance = minus(rational(String(start.buy_volume)), rational(String(start.sell_volume)))
  let filled = sum(rational(String(start.buy_volume)), rational(String(start.sell_volume)))
  let value: Rational | undefined
  const show = (): void => {
    value = full.length < 50 ? undefined : share(total(full.slice(-50)), product(size, integer(50)))
  }
  show()
  return trades.map(({ bought, sold }) => {
    if (bought === undefined || sold === undefined) {
      full = []
      ;[balance, filled] = [integer(0), integer(0)]
      show()
      return { vpin: undefined }
    }
    let left = sum(bought, sold)
    const of_one = share(minus(bought, sold), left)
    if (of_one === undefined) return { vpin: value }
    while (left.top > 0n) {
      const room = minus(size, filled)
      const part = minus(left, room).top < 0n ? left : room
      balance = reduced(sum(balance, product(part, of_one)))
      filled = sum(filled, part)
      left = minus(left, part)
      if (minus(filled, size).top < 0n) continue
      full = [...full.slice(-49), absolute(balance)]
      ;[balance, filled] = [integer(0), integer(0)]
      show()
    }
    return { vpin: value }
  })
}

/** Reduces the fraction. */
function reduced({ top, bottom }: Rational): Rational {
  let [a, b] = [top < 0n ? -top : top, bottom]
  while (b !== 0n) [a, b] = [b, a % b]
  return { top: top / a, bottom: bottom / a }
}
