/** Input and result of a build of a market dataset. */
import type { Day } from '#core/time.ts'
import type { SymbolTotals } from '../../bars/fit.ts'
import type { SymbolSummary } from '../../day/coverage.ts'
import type { OpenDay } from '../../day/day.ts'
import type { CoveredRows } from '../files/coverage.ts'
import type { SetOnDisk } from '../files/set-on-disk.ts'

export interface MarketOptions {
  readonly day: Pick<OpenDay, 'symbols' | 'reader'>
  readonly dir: string
  readonly date: Day
  /** The day is over. */
  readonly is_complete: boolean
  /** What the day before traded; empty if it was not built. */
  readonly traded_before: readonly SymbolTotals[]
  readonly signal: AbortSignal
  readonly onSymbol: (done_count: number, symbol_count: number) => void
}

/** A dataset's day on disk. */
export interface MarketSet extends SetOnDisk {
  /** Per symbol, with the rows that the manifest counts. */
  readonly summaries: readonly { readonly summary: SymbolSummary; readonly rows: CoveredRows }[]
}

export interface MarketDay {
  readonly sets: readonly MarketSet[]
  /** What the day traded, for the bars of the next. */
  readonly traded: readonly SymbolTotals[]
}
