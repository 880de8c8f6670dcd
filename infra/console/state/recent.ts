/** Rejects, duplicates, gaps and new sockets of the last minute, from an ingestor's counters. */
import type { IngestorView, Recent } from '../wire.ts'

export interface RecentBook {
  /** By ingestor_id. */
  add(ingestors: readonly IngestorView[], now_ms: number): ReadonlyMap<string, Recent>
}

interface Counters extends Recent {
  readonly at_ms: number
}

interface Seen {
  /** Changes when the process restarts or an operator changes its settings. */
  readonly life: string
  readonly counts: readonly Counters[]
}

const SPAN_MS = 60_000
/** A start or an operator's change opens sockets and ends gaps, which is no fault. */
const GRACE_MS = 30_000

export function createRecentBook(): RecentBook {
  const seen = new Map<string, Seen>()
  return {
    add(ingestors, now_ms) {
      const found = new Map<string, Recent>()
      for (const { ingestor_id, reach, status } of ingestors) {
        if (reach !== 'answers' || status === null) continue
        const life = `${status.ingestor.started_at} ${status.desired.revision}`
        const before = seen.get(ingestor_id)
        const now = countersOf(status, now_ms)
        if (before !== undefined && before.life !== life) {
          const counts = [{ ...now, at_ms: now_ms + GRACE_MS }]
          seen.set(ingestor_id, { life, counts })
          continue
        }
        const kept = (before?.counts ?? []).filter(({ at_ms }) => at_ms > now_ms - SPAN_MS)
        const is_new = kept.some(({ at_ms }) => at_ms > now_ms)
        const counts = is_new ? [{ ...now, at_ms: kept[0]!.at_ms }] : [...kept, now]
        seen.set(ingestor_id, { life, counts })
        found.set(ingestor_id, difference(counts[0]!, now))
      }
      return found
    },
  }
}

function countersOf(status: NonNullable<IngestorView['status']>, at_ms: number): Counters {
  const { writer, gaps, sockets } = status
  return {
    at_ms,
    rejected: writer.rejected,
    duplicates: Object.values(writer.duplicates).reduce((sum, count) => sum + count, 0),
    gaps: gaps.gaps,
    // Connection numbers only grow.
    sockets_opened: Math.max(0, ...sockets.map(({ connection }) => connection)),
  }
}

function difference(before: Counters, now: Counters): Recent {
  const since = (name: keyof Recent): number => Math.max(0, now[name] - before[name])
  return {
    rejected: since('rejected'),
    duplicates: since('duplicates'),
    gaps: since('gaps'),
    // The newest number is unknown while no socket is open.
    sockets_opened: before.sockets_opened === 0 ? 0 : since('sockets_opened'),
  }
}
