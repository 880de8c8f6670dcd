/**
 * What an operator can choose while an ingestor runs. The environment gives the first choice; later
 * choices are kept in a file (control/desired.ts).
 */
import type { Channel } from '#core/market.ts'

export interface DesiredState {
  /** Paused: no socket is open, and nothing is recorded. */
  readonly recording: 'recording' | 'paused'
  readonly symbols: SymbolsWanted
  readonly channels: readonly Channel[]
  readonly depth: DepthSymbols
}

/**
 * 'all': active perpetuals and spot pairs in USDT, and indexes. Names as the operator wrote them,
 * in any case. `count`: the first ones, by tier and then by name. `tier`: all symbols from tier 1
 * to this tier.
 */
export type SymbolsWanted =
  | 'all'
  | readonly string[]
  | { readonly count: number }
  | { readonly tier: number }

/** Which of the recorded symbols have their order books recorded. */
export type DepthSymbols =
  | { readonly kind: 'all' }
  /** All symbols from tier 1 to this tier. Names that are not recorded are left out. */
  | { readonly kind: 'tier'; readonly tier: number }
  /** A name that is not recorded is an error. */
  | { readonly kind: 'named'; readonly symbols: readonly string[] }
  /** The `count` symbols with the most turnover in the 24 hours before the choice. */
  | { readonly kind: 'busiest'; readonly count: number }
