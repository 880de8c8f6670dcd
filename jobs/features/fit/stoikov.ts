/**
 * Stoikov's micro-price: the expected mid in the long run, given the imbalance at the best level
 * and the spread. Stoikov (2018), "The Micro-Price", SSRN 2970694. The state is sampled at the end
 * of each second; a step is one second.
 *
 * Notation of the paper: Q are the probabilities of a step without a change of the mid, R1 K is the
 * mean change of a step, R2 are the probabilities of a step with a change.
 * g1 = (1-Q)^-1 R1 K is the mean first change, B = (1-Q)^-1 R2 the state after it, and
 * g = g1 + B g1 + B^2 g1 + ..
 * Each observation is also counted mirrored, with imbalance and change negated. That makes g
 * antisymmetric and the sum converge.
 */
import { decimalOf, difference, half, nearest, plus, quotient, times } from '#core/decimals.ts'
import { isTwoSided, spread, type TopOfBook } from '../../formulas/formulas.ts'
import type { QuoteResult } from '../quote-columns.ts'
import { solve } from './linear.ts'

const IMBALANCE_CLASSES = 10
const SPREAD_CLASSES = 5
export const STATE_COUNT = IMBALANCE_CLASSES * SPREAD_CLASSES
/** A smaller change of the mid, as a share of the smallest spread, is only rounding. */
const SAME_MID = 1e-6
/** The sum stops when its terms are below this share of the smallest spread. */
const TERM_MIN = 1e-9
const TERMS_MAX = 10_000

export interface StoikovTable {
  /** Smallest spread of the fitted day [quote asset]. */
  readonly spread_unit: number
  /**
   * g(I, s) in the quote asset, by spread class, then imbalance class. Null if the state did not
   * occur or if no change of the mid ever followed it.
   */
  readonly g: readonly (number | null)[]
}

/**
 * The micro-price [quote asset]: the double nearest to the exact mid plus g as the table holds it.
 * Null if the table has no value for the state.
 */
export function microprice(table: StoikovTable, quote: TopOfBook): number | null {
  const state = stateOf(quote, table.spread_unit)
  const g = state === undefined ? null : (table.g[state] ?? null)
  if (g === null) return null
  const twice_mid = plus(decimalOf(quote.best_bid), decimalOf(quote.best_ask))
  return nearest(plus(half(twice_mid), decimalOf(g)))
}

/** Undefined if the mid never moved, or too rarely to fit. */
export function fitStoikov({ columns, cut }: QuoteResult): StoikovTable | undefined {
  const spread_unit = smallestSpread(columns.spread)
  if (spread_unit === undefined) return undefined
  const steps = countSteps({ columns, cut }, spread_unit)
  const states = statesThatMove(steps)
  const g = states.length === 0 ? undefined : expectedChange(steps, states, spread_unit)
  if (g === undefined) return undefined
  const table: (number | null)[] = Array.from({ length: STATE_COUNT }, () => null)
  for (const [i, state] of states.entries()) table[state] = g[i]!
  return { spread_unit, g: table }
}

interface Steps {
  /** Steps by [from][to], without and with a change of the mid. */
  readonly still: readonly Float64Array[]
  readonly moving: readonly Float64Array[]
  /** Sum of the changes by starting state [quote asset]. */
  readonly change: Float64Array
}

/** Classes come from exact values, so that a tenth is never rounded into the class below. */
function stateOf(quote: TopOfBook, spread_unit: number): number | undefined {
  if (!isTwoSided(quote) || quote.bid_qty + quote.ask_qty === 0) return undefined
  const width = spread(quote)
  if (!(width > 0)) return undefined
  const units = Math.max(1, Math.round(quotient(decimalOf(width), decimalOf(spread_unit))))
  const bid_qty = decimalOf(quote.bid_qty)
  const share = quotient(
    times(bid_qty, { units: IMBALANCE_CLASSES, digits: 0 }),
    plus(bid_qty, decimalOf(quote.ask_qty)),
  )
  const imbalance = Math.min(Math.floor(share), IMBALANCE_CLASSES - 1)
  return (Math.min(units, SPREAD_CLASSES) - 1) * IMBALANCE_CLASSES + imbalance
}

/** The state with the same spread and the opposite imbalance. */
function mirrored(state: number): number {
  const imbalance = state % IMBALANCE_CLASSES
  return state - imbalance + (IMBALANCE_CLASSES - 1 - imbalance)
}

function smallestSpread(spreads: Float64Array): number | undefined {
  let smallest = Infinity
  for (const value of spreads) if (value > 0 && value < smallest) smallest = value
  return smallest === Infinity ? undefined : smallest
}

function countSteps(
  { columns, cut }: Pick<QuoteResult, 'columns' | 'cut'>,
  spread_unit: number,
): Steps {
  const matrix = (): readonly Float64Array[] =>
    Array.from({ length: STATE_COUNT }, () => new Float64Array(STATE_COUNT))
  const steps = { still: matrix(), moving: matrix(), change: new Float64Array(STATE_COUNT) }
  const { best_bid, bid_qty, best_ask, ask_qty, mid_close } = columns
  let before: number | undefined
  for (let row = 0; row < mid_close.length; row++) {
    const state = stateOf(
      {
        best_bid: best_bid[row]!,
        bid_qty: bid_qty[row]!,
        best_ask: best_ask[row]!,
        ask_qty: ask_qty[row]!,
      },
      spread_unit,
    )
    if (before !== undefined && state !== undefined && cut[row] !== 1) {
      const change = difference(mid_close[row]!, mid_close[row - 1]!)
      const does_move = Math.abs(change) > spread_unit * SAME_MID
      const counts = does_move ? steps.moving : steps.still
      counts[before]![state]! += 1
      counts[mirrored(before)]![mirrored(state)]! += 1
      if (does_move) {
        steps.change[before]! += change
        steps.change[mirrored(before)]! -= change
      }
    }
    before = state
  }
  return steps
}

/** States that can lead to a change of the mid, in order. */
function statesThatMove({ still, moving }: Steps): readonly number[] {
  const found = new Set<number>()
  for (let grown = -1; grown !== found.size;) {
    grown = found.size
    for (let state = 0; state < STATE_COUNT; state++) {
      const does_move = moving[state]!.some((count) => count > 0)
      if (does_move || still[state]!.some((count, to) => count > 0 && found.has(to))) {
        found.add(state)
      }
    }
  }
  return [...found].toSorted((a, b) => a - b)
}

/** g by state; undefined if its sum does not converge. Steps to other states are ignored. */
function expectedChange(
  { still, moving, change }: Steps,
  states: readonly number[],
  spread_unit: number,
): Float64Array | undefined {
  const size = states.length
  const among = (counts: Float64Array): number[] => states.map((to) => counts[to]!)
  const left: Float64Array[] = []
  // The last column is R1 K, the others are R2, so one elimination solves for all of them.
  const right: Float64Array[] = []
  for (const [i, state] of states.entries()) {
    const [stays, moves] = [among(still[state]!), among(moving[state]!)]
    const total = [...stays, ...moves].reduce((sum, count) => sum + count, 0)
    left.push(Float64Array.from(stays, (count, j) => (i === j ? 1 : 0) - count / total))
    right.push(Float64Array.from([...moves, change[state]!], (value) => value / total))
  }
  const solved = solve(left, right)
  if (solved === undefined) return undefined
  let term = Float64Array.from(solved, (row) => row[size]!)
  const g = new Float64Array(size)
  for (let count = 0; count < TERMS_MAX; count++) {
    for (let i = 0; i < size; i++) g[i]! += term[i]!
    if (term.every((value) => Math.abs(value) < spread_unit * TERM_MIN)) return g
    const next = new Float64Array(size)
    for (let i = 0; i < size; i++) {
      for (let j = 0; j < size; j++) next[i]! += solved[i]![j]! * term[j]!
    }
    term = next
  }
  return undefined
}
