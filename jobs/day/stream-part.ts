/** A part of a day's stream, wherever it lies. Postgres and the archive each implement it once. */
import type { RowChunk } from '../columns/row-chunk.ts'
import type { DepthRow } from './depth-reader.ts'
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
   * Rows in the order of the table's identity. The span begins and ends at whole hours. A chunk's
   * arrays may be reused: it is valid until the next.
   */
  rows(symbol: PartSymbol, columns: readonly string[]): AsyncIterable<RowChunk>
  /** The newest row's numbers; NaN is null. Undefined where there is no row. */
  lastRow<Name extends string>(
    symbol: PartSymbol,
    columns: readonly Name[],
  ): Promise<Readonly<Record<Name, number>> | undefined>
  /** Diffs and snapshots of depth_events, many at a time. */
  depth(symbol: PartSymbol): AsyncIterable<readonly DepthRow[]>
  /** ts_exchange of the newest snapshot of depth_events. */
  lastSnapshot(symbol: PartSymbol): Promise<number | undefined>
}
