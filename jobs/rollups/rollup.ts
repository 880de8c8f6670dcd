/** The rollups, and which tables each is made from. Their formulas stand in the migrations. */

/** `orderbook_topn` is written by a job some time after the depth that it follows from. */
export type SourceTable = 'book_ticker' | 'trades' | 'depth_events' | 'orderbook_topn'

export interface Rollup {
  readonly name: 'bt_1s' | 'trade_1s' | 'depth_1s'
  /** The first one tells how far there is anything to make. */
  readonly sources: readonly [SourceTable, ...SourceTable[]]
}

export const ROLLUPS: readonly Rollup[] = [
  { name: 'bt_1s', sources: ['book_ticker'] },
  { name: 'trade_1s', sources: ['trades'] },
  { name: 'depth_1s', sources: ['depth_events', 'orderbook_topn'] },
]
