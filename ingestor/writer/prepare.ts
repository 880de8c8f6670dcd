/**
 * Prepares a batch for Postgres while the previous one is committed: sorts rows by primary key and
 * drops repeated ones. Sorting makes two ingestors that write the same rows take their locks in the
 * same order, and writes neighbours in the index together.
 */
import { RAW_CHANNELS, RAW_TABLES, type RawChannel } from '#core/tables.ts'
import type { Micros } from '#core/time.ts'
import type { Batch } from './batch.ts'
import type { BatchMemory } from './batch-memory.ts'
import { type Conflict, type Conflicts, EVIDENCE_MAX } from './conflicts.ts'
import type { CopyRows } from './copy-encoder.ts'
import type { RefusedRecord } from './dead-letters.ts'
import { type AddedRange, rangesOf } from './invalidations.ts'
import { offsetColumns, type OffsetColumns, offsetsOf } from './offset-columns.ts'
import { joinRows } from './row-buffer.ts'
import type { StreamKey } from './stream-table.ts'

export interface PreparedBatch {
  readonly batch: Batch
  /** Raw tables that get rows, in the order of RAW_CHANNELS. */
  readonly copies: readonly TableCopy[]
  /** Of all its streams. */
  readonly offsets: OffsetColumns
  /** Listing entries, symbols and their gaps that Postgres refused. */
  readonly refused: readonly RefusedRecord[]
  /** Events of refused symbols. */
  readonly dead: readonly RefusedRecord[]
}

export interface TableCopy {
  readonly channel: RawChannel
  readonly rows: CopyRows
  /** Events that repeat a key of the same batch. The first event is kept. */
  readonly repeated: number
  /** Repeated events whose values differ from the first. */
  readonly conflicts: Conflicts
  /** Partitions that the rows need. */
  readonly hours: ReadonlySet<Micros>
  /** Where the rows are. */
  readonly ranges: readonly AddedRange[]
}

export type SymbolIds = (stream: StreamKey) => number

/** `symbolId` must know every symbol of the batch. The rows are in `memory`. */
export function prepareBatch(
  batch: Batch,
  symbolId: SymbolIds,
  memory: BatchMemory,
  refused: readonly RefusedRecord[] = [],
  dead: readonly RefusedRecord[] = [],
): PreparedBatch {
  memory.turn()
  const copies = RAW_CHANNELS.map((channel) => prepareTable(batch, channel, symbolId, memory))
  const offsets = offsetColumns(offsetsOf(batch.streams, symbolId))
  const filled = copies.filter((copy) => copy.rows.row_count > 0)
  return { batch, copies: filled, offsets, refused, dead }
}

function prepareTable(
  batch: Batch,
  channel: RawChannel,
  symbolId: SymbolIds,
  memory: BatchMemory,
): TableCopy {
  const groups = batch.streams
    .flatMap((stream) => {
      const { rows } = stream
      if (stream.channel !== channel || rows === undefined || rows.row_count === 0) return []
      return [{ symbol_id: symbolId(stream), rows }]
    })
    .toSorted((a, b) => a.symbol_id - b.symbol_id)
  const evidence: Conflict[] = []
  let count = 0
  const onConflict = (conflict: Conflict): void => {
    if (count++ < EVIDENCE_MAX) evidence.push(conflict)
  }
  const rows = joinRows(RAW_TABLES[channel], groups, onConflict, (byte_count, row_count) =>
    memory.of(channel, byte_count, row_count),
  )
  const event_count = groups.reduce((sum, group) => sum + group.rows.row_count, 0)
  const hours = new Set(groups.flatMap((group) => [...group.rows.hours]))
  const repeated = event_count - rows.row_count
  const ranges = rangesOf(rows)
  return { channel, rows, repeated, conflicts: { count, evidence }, hours, ranges }
}
