/** A part of a day's stream. Postgres and the archive each implement it once. */
import type { RowChunk } from '../columns/row-chunk.ts'
import type { ArrivedDepthRow } from './depth-reader.ts'
import type { DaySymbol } from './events.ts'

export type PartSymbol = Pick<DaySymbol, 'symbol_id' | 'symbol'>

/** First and last event of a symbol, microseconds since 1970, both inclusive. */
export interface EventSpan {
  readonly first_ts: number
  readonly last_ts: number
}

/** The events of one exchange and channel in one span of time. */
export interface StreamPart {
  /** Symbols that have events. */
  symbols(): Promise<readonly (EventSpan & { readonly symbol: string })[]>
  /**
   * Rows ordered by the table's identity. The span begins and ends at whole hours. The next chunk
   * may reuse a chunk's arrays.
   */
  rows(symbol: PartSymbol, columns: readonly string[]): AsyncIterable<RowChunk>
  /** The newest row's numbers; NaN is null. Undefined if there is no row. */
  lastRow<Name extends string>(
    symbol: PartSymbol,
    columns: readonly Name[],
  ): Promise<Readonly<Record<Name, number>> | undefined>
  /** Diffs and snapshots of depth_events, in batches. */
  depth(symbol: PartSymbol): AsyncIterable<readonly ArrivedDepthRow[]>
  /** ts_exchange of the newest snapshot of depth_events. */
  lastSnapshot(symbol: PartSymbol): Promise<number | undefined>
}
