/** Rows of the dataset `labels_barrier`. */
import type { RowChunk } from '../columns/row-chunk.ts'
import type { Columns } from '../day/grid-columns.ts'
import type { BarrierLabel } from './barrier-labels.ts'
import { LABELS_BARRIER } from './columns.ts'
import type { SecondQuoteFold } from './second-quotes.ts'

/** Adds a chunk of the table `book_ticker`. */
export function addQuotes(fold: SecondQuoteFold, chunk: RowChunk): void {
  fold.add({
    row_count: chunk.row_count,
    ts_exchange: chunk.numbers('ts_exchange'),
    update_id: chunk.numbers('update_id'),
    best_bid: chunk.numbers('best_bid'),
    best_ask: chunk.numbers('best_ask'),
  })
}

export function barrierRows(labels: readonly BarrierLabel[]): {
  readonly ts: BigInt64Array
  readonly columns: Columns<string>
} {
  return {
    ts: BigInt64Array.from(labels, ({ ts }) => BigInt(ts)),
    columns: Object.fromEntries(
      COLUMNS.map((name) => [name, Float64Array.from(labels, (label) => label[name])]),
    ),
  }
}

const KEYS: ReadonlySet<string> = new Set(['ts', 'exchange', 'symbol'])
const COLUMNS = LABELS_BARRIER.columns.flatMap(({ name }) =>
  // A test compares the registry with the fields of a label.
  KEYS.has(name) ? [] : [name as keyof BarrierLabel],
)
