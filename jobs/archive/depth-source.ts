/**
 * One symbol's depth from the archive alone, as core's bookAt reads it. Of a row group only the
 * kinds and times are fetched until a row of it is wanted.
 */
import type { ArchivedHour } from '#core/archive.ts'
import type { DepthSource } from '#core/book-at.ts'
import type { DepthChange } from '#core/book-sync.ts'
import type { Level } from '#core/market.ts'
import { type Micros, micros } from '#core/time.ts'
import { type LevelColumn, levelStart } from '../columns/columns.ts'
import type { RowChunk } from '../columns/row-chunk.ts'
import type { ArchiveReader } from './read.ts'

const KEYS = ['ts_exchange', 'depth_kind'] as const
const COLUMNS = [
  ...KEYS,
  'final_update_id',
  'first_update_id',
  'prev_final_update_id',
  'bids',
  'asks',
] as const

/** `hours` are of depth_events and one exchange, oldest first, each in its newest version. */
export function archiveDepthSource(
  reader: ArchiveReader,
  hours: readonly ArchivedHour[],
  symbol: string,
): DepthSource {
  return {
    async snapshotBefore(ts) {
      const before = hours.filter(({ min_ts_exchange }) => microsOf(min_ts_exchange) <= ts)
      for (const hour of before.toReversed()) {
        const newest = await newestSnapshotTime(reader, hour, symbol, ts)
        if (newest !== undefined) return snapshotAt(reader, hour, symbol, newest)
      }
      return undefined
    },
    async snapshotsAfter(from, to) {
      const found: DepthChange[] = []
      for await (const { kind, change } of changesFrom(reader, hours, symbol, micros(from + 1))) {
        if (change.ts_exchange > to) break
        if (kind === 'snapshot') found.push(change)
      }
      return found
    },
    async *diffs({ from_ts, from_id, to_ts }) {
      for await (const { kind, change } of changesFrom(reader, hours, symbol, from_ts)) {
        if (kind !== 'diff') continue
        const is_behind = change.ts_exchange > to_ts
        if (is_behind || change.final_update_id >= from_id) yield change
        if (is_behind) return
      }
    },
  }
}

async function* changesFrom(
  reader: ArchiveReader,
  hours: readonly ArchivedHour[],
  symbol: string,
  from: Micros,
): AsyncGenerator<Change> {
  for (const hour of hours) {
    if (microsOf(hour.max_ts_exchange) < from) continue
    for await (const chunk of reader.readSymbolHour(hour, { symbol, columns: COLUMNS, from })) {
      yield* changesOf(chunk, from)
    }
  }
}

async function newestSnapshotTime(
  reader: ArchiveReader,
  hour: ArchivedHour,
  symbol: string,
  to_ts: Micros,
): Promise<Micros | undefined> {
  let newest: number | undefined
  const wanted = { symbol, columns: KEYS, to: micros(to_ts + 1) }
  for await (const chunk of reader.readSymbolHour(hour, wanted)) {
    const ts = chunk.numbers('ts_exchange')
    const kinds = chunk.texts('depth_kind')
    for (let row = 0; row < chunk.row_count && ts[row]! <= to_ts; row++) {
      if (kinds[row] === 'snapshot') newest = ts[row]
    }
  }
  return newest === undefined ? undefined : micros(newest)
}

/** Of several at one moment the one with the largest id, which stands last. */
async function snapshotAt(
  reader: ArchiveReader,
  hour: ArchivedHour,
  symbol: string,
  ts: Micros,
): Promise<DepthChange | undefined> {
  let found: DepthChange | undefined
  const wanted = { symbol, columns: COLUMNS, from: ts, to: micros(ts + 1) }
  for await (const chunk of reader.readSymbolHour(hour, wanted)) {
    for (const { change, kind } of changesOf(chunk, ts)) {
      if (change.ts_exchange > ts) break
      if (kind === 'snapshot') found = change
    }
  }
  return found
}

interface Change {
  readonly kind: string
  readonly change: DepthChange
}

/** Rows from `from_ts` on. */
function* changesOf(chunk: RowChunk, from_ts: Micros): Generator<Change> {
  const ts = chunk.numbers('ts_exchange')
  const kinds = chunk.texts('depth_kind')
  const final_id = chunk.numbers('final_update_id')
  const first_id = chunk.numbers('first_update_id')
  const prev_id = chunk.numbers('prev_final_update_id')
  const bids = chunk.levels('bids')
  const asks = chunk.levels('asks')
  for (let row = 0; row < chunk.row_count; row++) {
    if (ts[row]! < from_ts) continue
    const change = {
      ts_exchange: micros(ts[row]!),
      final_update_id: final_id[row]!,
      first_update_id: orNull(first_id[row]!),
      prev_final_update_id: orNull(prev_id[row]!),
      bids: levelsOf(bids, row),
      asks: levelsOf(asks, row),
    }
    yield { kind: kinds[row]!, change }
  }
}

function levelsOf(column: LevelColumn, row: number): readonly Level[] {
  const start = levelStart(column, row)
  const length = column.ends[row]! - start
  return Array.from({ length }, (_, i) => [column.price[start + i]!, column.qty[start + i]!] as const)
}

function orNull(id: number): number | null {
  return Number.isNaN(id) ? null : id
}

/** Of an ISO text with six digits. */
function microsOf(iso: string): number {
  return Date.parse(`${iso.slice(0, 23)}Z`) * 1_000 + Number(iso.slice(23, 26))
}
