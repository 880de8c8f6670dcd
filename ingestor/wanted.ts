/**
 * What an operator can ask an ingestor for while it runs. The environment says it first; what is
 * asked for later is kept in a file (control/desired.ts).
 */
import type { Channel } from '#core/market.ts'
import type { IngestorConfig } from './config.ts'

export interface Wanted {
  /** Paused: no socket is open, and nothing is recorded. */
  readonly recording: 'recording' | 'paused'
  readonly symbols: SymbolsWanted
  readonly channels: readonly Channel[]
  readonly depth: DepthSymbols
}

/**
 * 'all': active perpetuals and spot pairs in USDT, and indexes. Names as they were written, in
 * whatever case. `count`: the first so many, by tier and then by name. `tier`: those of tier 1 to
 * this one.
 */
export type SymbolsWanted =
  | 'all'
  | readonly string[]
  | { readonly count: number }
  | { readonly tier: number }

/** Whose order books are recorded, among the symbols that are. */
export type DepthSymbols =
  | { readonly kind: 'all' }
  /** Those of tier 1 to this one; names that are not recorded are left out. */
  | { readonly kind: 'tier'; readonly tier: number }
  /** Names that are not recorded are a mistake. */
  | { readonly kind: 'named'; readonly symbols: readonly string[] }
  /** So many with the most turnover in the 24 hours before they were chosen. */
  | { readonly kind: 'busiest'; readonly count: number }

/** What the environment asks for. */
export function wantedBy(
  config: Pick<IngestorConfig, 'symbols' | 'choice' | 'depth_symbols'>,
): Wanted {
  const { symbols, choice, depth_symbols: depth } = config
  return { recording: 'recording', symbols, channels: choice.channels, depth }
}
