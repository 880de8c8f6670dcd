/** Rows of the dataset `clusters`, from minutes: one per price. Pure. */
import type { BaseMinute } from '#core/clusters/base.ts'

export interface CellRows {
  /** Starts of the minutes, microseconds since 1970. */
  readonly ts: BigInt64Array
  readonly columns: Readonly<Record<string, Float64Array>>
}

const OF_CELL = ['price', 'buy_qty', 'sell_qty', 'buy_count', 'sell_count'] as const
const OF_MINUTE = ['open', 'close', 'min_delta', 'max_delta'] as const

/** Minutes without trades have no rows. */
export function cellRowsOf(minutes: readonly BaseMinute[]): CellRows {
  const ts = BigInt64Array.from(
    minutes.flatMap((minute) => minute.price.map(() => BigInt(minute.ts))),
  )
  const of_cell = OF_CELL.map((name) => [
    name,
    Float64Array.from(minutes.flatMap((minute) => minute[name])),
  ])
  const of_minute = OF_MINUTE.map((name) => [
    name,
    Float64Array.from(minutes.flatMap((minute) => minute.price.map(() => minute[name]!))),
  ])
  return { ts, columns: Object.fromEntries([...of_cell, ...of_minute]) }
}
