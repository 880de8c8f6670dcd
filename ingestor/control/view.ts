/** The JSON answers of GET /status and GET /streams, built from the recorder's facts. */
import { toIso, type Micros } from '#core/time.ts'
import type { Recorder, RecorderFacts } from '../recorder.ts'
import type { IngestorState, IngestorStatus } from '../status.ts'
import type { StreamStatus } from '../transport/transport.ts'
import type { StreamReport } from '../writer/stream-report.ts'
import type { Changes } from './changes.ts'
import { toWire, type WantedWire } from './wire.ts'

/** Constant while the program runs. */
export interface Identity {
  readonly ingestor_id: string
  readonly exchange: string
  readonly host: string
  readonly pid: number
  readonly version: string
  readonly started_at: string
}

export interface StatusView {
  readonly ingestor: Identity & { readonly uptime_s: number; readonly endpoints: readonly string[] }
  readonly state: IngestorState | 'starting'
  /** The settings to record by. `source`: who changed them last. */
  readonly desired: WantedWire & {
    readonly revision: number
    readonly etag: string
    readonly source: 'environment' | 'operator'
    readonly changed_at: string | null
    readonly changed_by: string | null
  }
  /** What the ingestor records at this moment. */
  readonly actual: {
    readonly recording: 'recording' | 'paused'
    readonly symbol_count: number
    readonly symbols: readonly string[]
    /** By channel: streams that an open socket carries, and all of them. */
    readonly channels: Readonly<Record<string, { readonly heard: number; readonly wanted: number }>>
    readonly streams_wanted: number
    readonly streams_heard: number
    readonly streams_refused: number
    /** Reasons for which all sockets are closed. Empty while recording. */
    readonly holds: RecorderFacts['holds']
  }
  readonly sockets: RecorderFacts['transport']['sockets']
  readonly feed: Pick<IngestorStatus, 'frames_received' | 'frames_per_s'>
  readonly tape: {
    readonly used_bytes: number
    readonly limit_bytes: number
    readonly backlog_bytes: number
    readonly segment_count: number
    readonly is_full: boolean
    readonly full_cause: string | null
    readonly end_position: number
    readonly committed_position: number
  }
  readonly writer: Pick<
    IngestorStatus,
    | 'lag_ms'
    | 'rows_committed'
    | 'duplicates'
    | 'conflicts'
    | 'dead_letters'
    | 'rejected'
    | 'ignored'
  > & {
    readonly database_away: boolean
    readonly batches_committed: number
    readonly rows_per_s: number
  }
  readonly books: {
    readonly known: number
    readonly in_sequence: number
    readonly lost_count: number
  }
  readonly gaps: Pick<
    IngestorStatus,
    | 'gaps'
    | 'gaps_open'
    | 'gaps_repaired'
    | 'lost_streams'
    | 'lost_stream_names'
    | 'oldest_lost_stream_s'
  >
  readonly clock: RecorderFacts['clock'] & { readonly now: string }
}

export interface StreamView {
  readonly symbol: string
  readonly channel: string
  /** The exchange's name of the stream. */
  readonly stream: string
  readonly is_heard: boolean
  readonly frame_count: number
  readonly last_frame_at: string | null
  /** Time since the last frame; null before the first. */
  readonly silent_ms: number | null
  readonly last_event_at: string | null
  /** From the exchange's time of that event to its arrival. Negative: our clock is behind. */
  readonly delay_ms: number | null
  readonly lost: { readonly cause: string; readonly since: string } | null
  readonly refusal: string | null
  /** State of the local order book; null for streams without one. */
  readonly is_book_in_sequence: boolean | null
}

export interface StatusParts {
  readonly identity: Identity
  readonly endpoints: readonly string[]
  readonly recorder: Pick<Recorder, 'status' | 'facts' | 'commits' | 'steering'>
  readonly changes: Pick<Changes, 'wanted' | 'revision' | 'etag' | 'last'>
  readonly now_ms: number
}

export function statusView(parts: StatusParts): StatusView {
  const { identity, endpoints, recorder, changes, now_ms } = parts
  const status = recorder.status()
  const { tape, transport, holds, clock, database_away } = recorder.facts()
  const { revision, etag, last } = changes
  const { streams, sockets } = transport
  const { state, committed_position } = status
  const is_starting = streams.length === 0 && state === 'live'
  return {
    ingestor: {
      ...identity,
      uptime_s: Math.floor((now_ms - Date.parse(identity.started_at)) / 1_000),
      endpoints,
    },
    state: is_starting ? 'starting' : state,
    desired: {
      ...toWire(changes.wanted),
      revision,
      etag,
      source: last === undefined || last.changed_by === 'environment' ? 'environment' : 'operator',
      changed_at: last?.changed_at ?? null,
      changed_by: last?.changed_by ?? null,
    },
    actual: {
      recording: holds.includes('operator') ? 'paused' : 'recording',
      symbol_count: recorder.steering.names.length,
      symbols: recorder.steering.names,
      channels: byChannel(streams),
      streams_wanted: streams.length,
      streams_heard: streams.filter(({ is_covered }) => is_covered).length,
      streams_refused: streams.filter(({ refusal }) => refusal !== null).length,
      holds,
    },
    sockets,
    feed: { frames_received: status.frames_received, frames_per_s: status.frames_per_s },
    tape: {
      used_bytes: tape.used_bytes,
      limit_bytes: tape.max_bytes,
      backlog_bytes: Math.max(0, tape.end - committed_position),
      segment_count: tape.segment_count,
      is_full: tape.full !== undefined,
      full_cause: tape.full?.cause ?? null,
      end_position: tape.end,
      committed_position,
    },
    writer: {
      database_away,
      lag_ms: status.lag_ms,
      batches_committed: recorder.commits.batch_count,
      rows_per_s: recorder.commits.rowsPerSecond(),
      rows_committed: status.rows_committed,
      duplicates: status.duplicates,
      conflicts: status.conflicts,
      dead_letters: status.dead_letters,
      rejected: status.rejected,
      ignored: status.ignored,
    },
    books: {
      known: status.books,
      in_sequence: status.books_synced,
      lost_count: status.books_lost,
    },
    gaps: {
      gaps: status.gaps,
      gaps_open: status.gaps_open,
      gaps_repaired: status.gaps_repaired,
      lost_streams: status.lost_streams,
      lost_stream_names: status.lost_stream_names,
      oldest_lost_stream_s: status.oldest_lost_stream_s,
    },
    clock: { ...clock, now: new Date(now_ms).toISOString() },
  }
}

/** `reports`: empty if the writer did not answer. */
export function streamViews(
  streams: readonly StreamStatus[],
  reports: readonly StreamReport[],
  now_ms: number,
): readonly StreamView[] {
  const by_key = new Map(reports.map((report) => [keyOf(report), report]))
  return streams.map((stream) => {
    const { symbol, channel, name, is_covered, frame_count, last_frame_at, refusal } = stream
    const report = by_key.get(keyOf(stream))
    const loss = report?.lost ?? null
    return {
      symbol,
      channel,
      stream: name,
      is_heard: is_covered,
      frame_count,
      last_frame_at: isoOf(last_frame_at),
      silent_ms:
        last_frame_at === null ? null : Math.max(0, Math.round(now_ms - last_frame_at / 1_000)),
      last_event_at: isoOf(report?.last_event?.ts_exchange ?? null),
      delay_ms: delayOf(report),
      lost: loss === null ? null : { cause: loss.cause, since: toIso(loss.since) },
      refusal,
      is_book_in_sequence: report?.is_book_synced ?? null,
    }
  })
}

function byChannel(streams: readonly StreamStatus[]): StatusView['actual']['channels'] {
  const channels: Record<string, { heard: number; wanted: number }> = {}
  for (const { channel, is_covered } of streams) {
    const counts = (channels[channel] ??= { heard: 0, wanted: 0 })
    counts.wanted++
    if (is_covered) counts.heard++
  }
  return channels
}

function keyOf({ symbol, channel }: { readonly symbol: string; readonly channel: string }): string {
  return `${channel} ${symbol}`
}

function delayOf(report: StreamReport | undefined): number | null {
  const event = report?.last_event ?? null
  return event === null ? null : (event.ts_ingest - event.ts_exchange) / 1_000
}

function isoOf(ts: Micros | null): string | null {
  return ts === null ? null : toIso(ts)
}
