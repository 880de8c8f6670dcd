/**
 * Reports late rows to the readers of finished spans (rollups, archive). After the rows are written
 * and before they are committed, their ranges are compared with the thresholds of
 * marketdata.invalidation_thresholds.
 *
 * Invariants
 * 1. The thresholds are locked `for share` (commit.ts, in the statement that moves the position)
 *    until the rows are committed. A reader raises its threshold first, so it waits for this lock:
 *    rows that it does not see afterwards are compared with the new threshold.
 * 2. Only rows that the transaction adds count. A range never crosses an hour.
 */
import type { Client } from '#core/node/pool.ts'
import type { RawChannel } from '#core/tables.ts'
import { HOUR_US, type Micros, toIso } from '#core/time.ts'
import { type CopyRows, symbolIdAt, tsExchangeAt } from './copy-encoder.ts'

/** Rows of one symbol and hour that a transaction adds to a table. */
export interface AddedRange {
  readonly table_name: RawChannel
  readonly symbol_id: number
  readonly lowest: Micros
  readonly greatest: Micros
}

/** The oldest row that was added to each table. */
export interface OldestAdded {
  readonly table_names: readonly RawChannel[]
  readonly lowest: readonly Micros[]
}

export function oldestAdded(added: readonly AddedRange[]): OldestAdded {
  const oldest = new Map<RawChannel, Micros>()
  for (const { table_name, lowest } of added) {
    const known = oldest.get(table_name)
    if (known === undefined || lowest < known) oldest.set(table_name, lowest)
  }
  return { table_names: [...oldest.keys()], lowest: [...oldest.values()] }
}

/** `rows` are ordered by symbol, then by time, as prepare.ts joins them. */
export function rangesOf({ table, bytes, offsets, row_count }: CopyRows): readonly AddedRange[] {
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength)
  const ranges: AddedRange[] = []
  let begin = 0
  while (begin < row_count) {
    const symbol_id = symbolIdAt(view, offsets[begin]!)
    const lowest = tsExchangeAt(view, offsets[begin]!)
    const hour_end = (Math.floor(lowest / HOUR_US) + 1) * HOUR_US
    const end = firstOutside(begin, row_count, (index) => {
      const at = offsets[index]!
      return tsExchangeAt(view, at) >= hour_end || symbolIdAt(view, at) !== symbol_id
    })
    const greatest = tsExchangeAt(view, offsets[end - 1]!)
    ranges.push({ table_name: table.name, symbol_id, lowest, greatest })
    begin = end
  }
  return ranges
}

/**
 * The first index from `begin` on that is outside, and so are all after it; `end` if there is none.
 * Looks at few of many: a full batch has a hundred rows of each symbol.
 */
function firstOutside(begin: number, end: number, isOutside: (index: number) => boolean): number {
  let inside = begin
  let step = 1
  while (inside + step < end && !isOutside(inside + step)) {
    inside += step
    step *= 2
  }
  let outside = Math.min(inside + step, end)
  while (outside - inside > 1) {
    const middle = (inside + outside) >>> 1
    if (isOutside(middle)) outside = middle
    else inside = middle
  }
  return outside
}

/** Writes a row per consumer for every range that begins below its table's threshold. */
export async function logInvalidations(
  client: Client,
  added: readonly AddedRange[],
): Promise<void> {
  const ranges = added.map(({ lowest, greatest, ...range }) => ({
    ...range,
    lowest: toIso(lowest),
    greatest: toIso(greatest),
  }))
  await client.query(
    `insert into marketdata.invalidations (consumer, table_name, symbol_id, lowest, greatest)
    select consumer, table_name, symbol_id, lowest, greatest
    from jsonb_to_recordset($1::jsonb) as r (table_name text, symbol_id bigint,
      lowest timestamptz, greatest timestamptz)
    join marketdata.invalidation_thresholds using (table_name)
    cross join unnest(consumers) as consumer
    where lowest < threshold`,
    [JSON.stringify(ranges)],
  )
}
