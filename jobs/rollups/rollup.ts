/** The rollups and their source tables. The migrations contain their formulas. */

/** A job writes `orderbook_topn` some time after the depth that it is computed from. */
export type SourceTable = 'book_ticker' | 'trades' | 'depth_events' | 'orderbook_topn'

export interface Rollup {
  readonly name: 'bt_1s' | 'trade_1s' | 'depth_1s'
  /** The newest row of the first source limits how far the rollup can be computed. */
  readonly sources: readonly [SourceTable, ...SourceTable[]]
}

export const ROLLUPS: readonly Rollup[] = [
  { name: 'bt_1s', sources: ['book_ticker'] },
  { name: 'trade_1s', sources: ['trades'] },
  { name: 'depth_1s', sources: ['depth_events', 'orderbook_topn'] },
]
