/** Figures of all ingestors together, and how fast their tapes grow. */
import type { IngestorView, Totals } from '../wire.ts'

export interface TotalsBook {
  /** Undefined if no ingestor answers. */
  add(ingestors: readonly IngestorView[], now_ms: number): Totals | undefined
}

interface TapeAt {
  readonly end_position: number
  readonly at_ms: number
  readonly bytes_per_s: number
}

const MEMORY_MS = 30_000

export function createTotalsBook(): TotalsBook {
  const tapes = new Map<string, TapeAt>()
  return {
    add(ingestors, now_ms) {
      const answering = ingestors.filter(
        ({ reach, status }) => reach === 'answers' && status !== null,
      )
      if (answering.length === 0) return undefined
      const sum = (read: (status: NonNullable<IngestorView['status']>) => number): number =>
        answering.reduce((total, { status }) => total + read(status!), 0)
      const rooms: number[] = []
      let tape_bytes_per_s = 0
      for (const { ingestor_id, status } of answering) {
        const { tape } = status!
        const at = follow(tapes.get(ingestor_id), tape.end_position, now_ms)
        tapes.set(ingestor_id, at)
        tape_bytes_per_s += at.bytes_per_s
        const room_bytes = Math.max(0, tape.limit_bytes - tape.used_bytes)
        if (at.bytes_per_s > 0) rooms.push(room_bytes / at.bytes_per_s)
      }
      return {
        events_per_s: sum(({ feed }) => feed.frames_per_s),
        rows_per_s: sum(({ writer }) => writer.rows_per_s),
        lag_ms: Math.max(...answering.map(({ status }) => status!.writer.lag_ms)),
        symbol_count: sum(({ actual }) => actual.symbol_count),
        streams_wanted: sum(({ actual }) => actual.streams_wanted),
        streams_heard: sum(({ actual }) => actual.streams_heard),
        tape_used_bytes: sum(({ tape }) => tape.used_bytes),
        tape_limit_bytes: sum(({ tape }) => tape.limit_bytes),
        tape_backlog_bytes: sum(({ tape }) => tape.backlog_bytes),
        tape_bytes_per_s,
        tape_room_s: rooms.length === 0 ? null : Math.min(...rooms),
      }
    },
  }
}

function follow(before: TapeAt | undefined, end_position: number, at_ms: number): TapeAt {
  if (before === undefined || end_position < before.end_position) {
    return { end_position, at_ms, bytes_per_s: 0 }
  }
  const passed_ms = at_ms - before.at_ms
  if (passed_ms < 500) return before
  const rate = ((end_position - before.end_position) * 1_000) / passed_ms
  const share = before.bytes_per_s === 0 ? 1 : 1 - Math.exp(-passed_ms / MEMORY_MS)
  const bytes_per_s = before.bytes_per_s + share * (rate - before.bytes_per_s)
  return { end_position, at_ms, bytes_per_s }
}
