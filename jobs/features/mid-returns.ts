/** Log returns of the mid from the end of one second to the end of another, from exact mids. */
import { type Decimal, decimalOf, half, plus, Scale } from '#core/decimals.ts'
import type { Columns } from '../day/grid-columns.ts'
import type { TopOfBook } from '../formulas/formulas.ts'
import type { Wide } from './logarithm/double-double.ts'
import { logOfIntegers, logRatio } from './logarithm/log-ratio.ts'

/** Quotes at the end of each second. */
export interface SecondQuotes {
  readonly columns: Columns<'best_bid' | 'best_ask'>
  /** The quote that was valid at the start of the first second. */
  readonly carried: Pick<TopOfBook, 'best_bid' | 'best_ask'> | undefined
  /** 1 for every second in which the chain of quotes was cut. */
  readonly cut: Uint8Array
}

/** Row -1 is the time just before the grid. */
export class MidReturns {
  readonly #bids: Float64Array
  readonly #asks: Float64Array
  /** Bid and ask in ticks; NaN if there is no mid or if the ticks need bigints. */
  readonly #units: Float64Array
  readonly #cut: Uint8Array

  constructor({ columns: { best_bid, best_ask }, carried, cut }: SecondQuotes) {
    this.#bids = withFirst(carried?.best_bid, best_bid)
    this.#asks = withFirst(carried?.best_ask, best_ask)
    this.#cut = cut
    const prices = new Scale()
    // The first pass only finds the number of digits, which grows with each price.
    for (const side of [this.#bids, this.#asks]) for (const price of side) prices.unitsOf(price)
    this.#units = this.#bids.map((bid, i) => prices.unitsOf(bid) + prices.unitsOf(this.#asks[i]!))
  }

  get row_count(): number {
    return this.#cut.length
  }

  /** Whether the mid is known at the end of this row and of the one before, with no cut between. */
  isKnown(row: number): boolean {
    return this.#hasMid(row) && this.#hasMid(row - 1) && this.#cut[row] !== 1
  }

  /** (b + a) / 2 at the end of a row. The row must have a mid. */
  midAt(row: number): Decimal {
    return half(plus(decimalOf(this.#bids[row + 1]!), decimalOf(this.#asks[row + 1]!)))
  }

  /** ln(m_to / m_from). Both mids must be known. */
  between(from: number, to: number): Wide {
    const [before, now] = [this.#units[from + 1]!, this.#units[to + 1]!]
    return before + now <= Number.MAX_SAFE_INTEGER
      ? logOfIntegers(now, before)
      : logRatio(this.midAt(to), this.midAt(from))
  }

  #hasMid(row: number): boolean {
    return this.#bids[row + 1]! > 0 && this.#asks[row + 1]! > 0
  }
}

function withFirst(first: number | undefined, rest: Float64Array): Float64Array {
  const all = new Float64Array(rest.length + 1)
  all[0] = first ?? NaN
  all.set(rest, 1)
  return all
}
