/**
 * Inputs of the window features: the rows to build. If a build continues at a whole hour, also the
 * rows before it that the longest window needs.
 */
import { LAMBDA_WINDOW, VARIANCE_WINDOW } from '#core/features/window.ts'
import type { ExactColumn } from './exact-column.ts'
import type { SecondQuotes } from './mid-returns.ts'
import type { QuoteResult } from './quote-columns.ts'
import type { SideVolumes } from './trade-columns.ts'

export interface WindowInputs extends SecondQuotes, SideVolumes {
  readonly ofi: ExactColumn
  /** Row of the day's grid at which the inputs begin. */
  readonly first_row: number
}

/** A change needs one more mid; a trailing sum needs one more block of rows. */
const ROWS_MAX = Math.max(LAMBDA_WINDOW + 1, 2 * VARIANCE_WINDOW)

/** Puts `before`, if there is any, in front of the other rows. */
export function joinInputs(
  before: WindowInputs | undefined,
  { columns, carried, cut, ofi }: QuoteResult,
  { buy_volume, sell_volume }: SideVolumes,
): WindowInputs {
  const { best_bid, best_ask } = columns
  const own = { columns: { best_bid, best_ask }, carried, cut, ofi, buy_volume, sell_volume }
  if (before === undefined) return { ...own, first_row: 0 }
  const joined_cut = new Uint8Array(before.cut.length + cut.length)
  joined_cut.set(before.cut)
  joined_cut.set(cut, before.cut.length)
  return {
    columns: {
      best_bid: joined(before.columns.best_bid, best_bid),
      best_ask: joined(before.columns.best_ask, best_ask),
    },
    carried: before.carried,
    cut: joined_cut,
    ofi: joinedExact(before.ofi, ofi),
    buy_volume: joinedExact(before.buy_volume, buy_volume),
    sell_volume: joinedExact(before.sell_volume, sell_volume),
    first_row: before.first_row,
  }
}

/** Copies the inputs before row `end` that windows from there on need. */
export function lastInputs(inputs: WindowInputs, end: number): WindowInputs {
  const first = Math.max(0, end - ROWS_MAX)
  const { best_bid, best_ask } = inputs.columns
  const part = ({ column, rest }: ExactColumn): ExactColumn => ({
    column: column.slice(first, end),
    rest: new Map(
      [...rest]
        .filter(([row]) => row >= first && row < end)
        .map(([row, value]) => [row - first, value]),
    ),
  })
  return {
    columns: { best_bid: best_bid.slice(first, end), best_ask: best_ask.slice(first, end) },
    carried:
      first === 0
        ? inputs.carried
        : { best_bid: best_bid[first - 1]!, best_ask: best_ask[first - 1]! },
    cut: inputs.cut.slice(first, end),
    ofi: part(inputs.ofi),
    buy_volume: part(inputs.buy_volume),
    sell_volume: part(inputs.sell_volume),
    first_row: inputs.first_row + first,
  }
}

function joined(a: Float64Array, b: Float64Array): Float64Array {
  const both = new Float64Array(a.length + b.length)
  both.set(a)
  both.set(b, a.length)
  return both
}

function joinedExact(a: ExactColumn, b: ExactColumn): ExactColumn {
  const rest = new Map(a.rest)
  for (const [row, value] of b.rest) rest.set(a.column.length + row, value)
  return { column: joined(a.column, b.column), rest }
}
