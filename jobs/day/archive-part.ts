/** A stream's events from a file of the archive. */
import type { ArchivedHour } from '#core/archive.ts'
import type { FlatLevels } from '#core/book.ts'
import { micros } from '#core/time.ts'
import type { ArchiveReader } from '../archive/read.ts'
import { levelStart, type LevelColumn } from '../columns/columns.ts'
import type { RowChunk } from '../columns/row-chunk.ts'
import type { ArrivedDepthRow, Span } from './depth-reader.ts'
import type { PartSymbol, StreamPart } from './stream-part.ts'

const DEPTH = [
  'ts_exchange',
  'ts_ingest',
  'final_update_id',
  'first_update_id',
  'prev_final_update_id',
  'depth_kind',
  'bids',
  'asks',
]

export function archivePart(archive: ArchiveReader, hour: ArchivedHour, span: Span): StreamPart {
  const isInside = (ts: number): boolean => ts >= span.from && ts < span.to
  return {
    symbols: () => archive.symbols(hour),
    rows: ({ symbol }, columns) => archive.readSymbolHour(hour, { symbol, columns }),
    async lastRow<Name extends string>({ symbol }: PartSymbol, columns: readonly Name[]) {
      let last: Readonly<Record<Name, number>> | undefined
      for await (const chunk of archive.readSymbolHour(hour, { symbol, columns })) {
        const row = chunk.row_count - 1
        last = Object.fromEntries(
          columns.map((name) => [name, chunk.numbers(name)[row]!]),
        ) as Record<Name, number>
      }
      return last
    },
    async *depth({ symbol }) {
      const wanted = { symbol, columns: DEPTH, ...span }
      for await (const chunk of archive.readSymbolHour(hour, wanted)) {
        yield depthRows(chunk).filter(({ ts_exchange }) => isInside(ts_exchange))
      }
    },
    async lastSnapshot({ symbol }) {
      const wanted = { symbol, columns: ['ts_exchange', 'depth_kind'], ...span }
      let last: number | undefined
      for await (const chunk of archive.readSymbolHour(hour, wanted)) {
        const ts_exchange = chunk.numbers('ts_exchange')
        for (const [row, depth_kind] of chunk.texts('depth_kind').entries()) {
          const ts = ts_exchange[row]!
          if (depth_kind === 'snapshot' && isInside(ts)) last = ts
        }
      }
      return last
    },
  }
}

function depthRows(chunk: RowChunk): readonly ArrivedDepthRow[] {
  const ts_exchange = chunk.numbers('ts_exchange')
  const ts_ingest = chunk.numbers('ts_ingest')
  const final_update_id = chunk.numbers('final_update_id')
  const first_update_id = chunk.numbers('first_update_id')
  const prev_final_update_id = chunk.numbers('prev_final_update_id')
  const depth_kind = chunk.texts('depth_kind')
  const bids = chunk.levels('bids')
  const asks = chunk.levels('asks')
  const rows: ArrivedDepthRow[] = []
  for (let row = 0; row < chunk.row_count; row++) {
    const kind = depth_kind[row]!
    if (kind !== 'diff' && kind !== 'snapshot') continue
    rows.push({
      ts_exchange: micros(ts_exchange[row]!),
      ts_ingest: micros(ts_ingest[row]!),
      final_update_id: final_update_id[row]!,
      first_update_id: orNull(first_update_id[row]!),
      prev_final_update_id: orNull(prev_final_update_id[row]!),
      depth_kind: kind,
      bids: levelsOf(bids, row),
      asks: levelsOf(asks, row),
    })
  }
  return rows
}

function levelsOf(column: LevelColumn, row: number): FlatLevels {
  const { price, qty } = column
  return { price, qty, from: levelStart(column, row), to: column.ends[row]! }
}

function orNull(value: number): number | null {
  return Number.isNaN(value) ? null : value
}
