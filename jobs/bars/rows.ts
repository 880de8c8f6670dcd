/** Rows of the dataset `bars`. */
import type { RowChunk } from '../columns/row-chunk.ts'
import type { Columns } from '../day/grid-columns.ts'
import type { Bar, BarFold } from './bar-fold.ts'
import { BARS } from './columns.ts'

/** Adds a chunk of the table `trades`. */
export function addTrades(fold: BarFold, chunk: RowChunk): void {
  const ts = chunk.numbers('ts_exchange')
  const ids = chunk.numbers('agg_trade_id')
  const prices = chunk.numbers('price')
  const qtys = chunk.numbers('qty')
  const flags = chunk.flags('is_buyer_maker')
  for (let row = 0; row < chunk.row_count; row++) {
    fold.add({
      ts: ts[row]!,
      id: ids[row]!,
      price: prices[row]!,
      qty: qtys[row]!,
      is_buyer_maker: flags[row] === 1,
    })
  }
}

/** `bars`: of each kind, in the order of BAR_KINDS. */
export function barRows(bars: readonly (readonly Bar[])[]): {
  readonly ts: BigInt64Array
  readonly columns: Columns<string>
} {
  const rows = bars.flatMap((of_kind, kind) => of_kind.map((bar) => ({ ...bar, kind })))
  return {
    ts: BigInt64Array.from(rows, ({ ts }) => BigInt(ts)),
    columns: Object.fromEntries(
      COLUMNS.map((name) => [name, Float64Array.from(rows, (row) => row[name])]),
    ),
  }
}

const KEYS: ReadonlySet<string> = new Set(['ts', 'exchange', 'symbol'])
const COLUMNS = BARS.columns.flatMap(({ name }) =>
  // A test compares the registry with the fields of a bar.
  KEYS.has(name) ? [] : [name as keyof Bar | 'kind'],
)
