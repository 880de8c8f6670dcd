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
  readonly lowest: readonly string[]
}

export function oldestAdded(added: readonly AddedRange[]): OldestAdded {
  const oldest = new Map<RawChannel, Micros>()
  for (const { table_name, lowest } of added) {
    const known = oldest.get(table_name)
    if (known === undefined || lowest < known) oldest.set(table_name, lowest)
  }
  return { table_names: [...oldest.keys()], lowest: [...oldest.values()].map(toIso) }
}

/** `rows` are ordered by symbol, then by time, as prepare.ts joins them. */
export function rangesOf({ table, bytes, offsets, row_count }: CopyRows): readonly AddedRange[] {
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength)
  const ranges: { -readonly [K in keyof AddedRange]: AddedRange[K] }[] = []
  let last: (typeof ranges)[number] | undefined
  let hour_end = -Infinity
  for (let index = 0; index < row_count; index++) {
    const at = offsets[index]!
    const ts = tsExchangeAt(view, at)
    const symbol_id = symbolIdAt(view, at)
    if (last !== undefined && last.symbol_id === symbol_id && ts < hour_end) {
      last.greatest = ts
      continue
    }
    hour_end = (Math.floor(ts / HOUR_US) + 1) * HOUR_US
    last = { table_name: table.name, symbol_id, lowest: ts, greatest: ts }
    ranges.push(last)
  }
  return ranges
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
