/**
 * A batch made ready for Postgres while the one before it is still being committed: rows sorted
 * by primary key, repeated ones dropped, encoded. Sorted, because two ingestors that write the
 * same rows then take their locks in the same order, and because neighbours in the index are
 * written together.
 */
import { CHANNELS, type Channel } from '#core/market.ts'
import { RAW_TABLES } from '#core/tables.ts'
import { HOUR_US, hourStart, type Micros } from '#core/time.ts'
import type { Batch } from './batcher.ts'
import { type CopyRows, encodeRows } from './copy-encoder.ts'
import type { StoredEvent, StreamKey } from './stream-table.ts'

export interface PreparedBatch {
  readonly batch: Batch
  /** Tables that get rows, in the order of CHANNELS. */
  readonly copies: readonly TableCopy[]
}

export interface TableCopy {
  readonly channel: Channel
  readonly rows: CopyRows
  /** Events of the batch that repeat the key of another one in it: the first one stands. */
  readonly repeated: number
  /** Partitions that the rows need. */
  readonly hours: ReadonlySet<Micros>
}

export type SymbolIds = (stream: StreamKey) => number

/** `symbolId` must know every symbol of the batch. */
export function prepareBatch(batch: Batch, symbolId: SymbolIds): PreparedBatch {
  const copies = CHANNELS.map((channel) => prepareTable(batch, channel, symbolId))
  return { batch, copies: copies.filter((copy) => copy.rows.row_count > 0) }
}

function prepareTable(batch: Batch, channel: Channel, symbolId: SymbolIds): TableCopy {
  const groups: { symbol_id: number; rows: readonly StoredEvent[] }[] = []
  const hours = new Set<Micros>()
  let repeated = 0
  for (const stream of batch.streams) {
    if (stream.channel !== channel || stream.events.length === 0) continue
    const rows = sortedByKey(stream.events)
    repeated += stream.events.length - rows.length
    addHours(hours, rows)
    groups.push({ symbol_id: symbolId(stream), rows })
  }
  groups.sort((a, b) => a.symbol_id - b.symbol_id)
  return { channel, rows: encodeRows(RAW_TABLES[channel], groups), repeated, hours }
}

/** In the order of (ts_exchange, id), each key once. Most streams come in that order. */
function sortedByKey(events: readonly StoredEvent[]): readonly StoredEvent[] {
  if (events.every((event, index) => index === 0 || compareKeys(events[index - 1]!, event) < 0)) {
    return events
  }
  const sorted = events.toSorted(compareKeys)
  return sorted.filter((event, index) => index === 0 || compareKeys(sorted[index - 1]!, event) !== 0)
}

function compareKeys(a: StoredEvent, b: StoredEvent): number {
  return a.ts_exchange - b.ts_exchange || idOf(a) - idOf(b)
}

function idOf(event: StoredEvent): number {
  return event.kind === 'trade' ? event.agg_trade_id : event.update_id
}

function addHours(hours: Set<Micros>, rows: readonly StoredEvent[]): void {
  let end = Number.NEGATIVE_INFINITY
  for (const { ts_exchange } of rows) {
    if (ts_exchange < end) continue
    const hour = hourStart(ts_exchange)
    hours.add(hour)
    end = hour + HOUR_US
  }
}
