/** What the console's server and its page say to each other, as JSON. Types only. */
import type { Report } from '#core/validation.ts'
import type { StatusView, StreamView } from '../../ingestor/control/view.ts'

export type Level = 'ok' | 'warn' | 'bad'
export const PAGES = [
  'overview',
  'streams',
  'gaps',
  'jobs',
  'datasets',
  'database',
  'validation',
  'audit',
] as const
export type PageName = (typeof PAGES)[number]

/** Something an operator should know, as a sentence, and the page that has more of it. */
export interface Trouble {
  readonly level: Exclude<Level, 'ok'>
  readonly code: string
  readonly text: string
  readonly page: PageName
}

/**
 * answers: its status is of now. silent: it ought to answer and does not. elsewhere: it can only be
 * asked on its own machine. stopped: it said that it stops.
 */
export type Reach = 'answers' | 'silent' | 'elsewhere' | 'stopped'

export interface IngestorView {
  readonly ingestor_id: string
  readonly exchange: string
  readonly host: string
  readonly version: string
  readonly endpoint: string | null
  readonly reach: Reach
  /** Why it does not answer, for people. */
  readonly error: string | null
  /** Since its last heartbeat in the database; null where only its endpoint is known. */
  readonly seen_s: number | null
  /** Its newest answer; `answered_at` says of when. Without the names of its symbols. */
  readonly status: StatusView | null
  readonly answered_at: string | null
}

/** Of one ingestor, in the last minute. */
export interface Recent {
  /** Frames, or parts of them, that are not what the exchange documents. */
  readonly rejected: number
  /** Events that came twice. */
  readonly duplicates: number
  /** Gaps that the ledger got. */
  readonly gaps: number
  /** Sockets that were opened, in place of others. */
  readonly sockets_opened: number
}

export interface ServiceView {
  readonly is_up: boolean
  /** Since when it is as it is. */
  readonly since: string
  readonly error: string | null
}

/** Of all ingestors together. Null: nobody could say. */
export interface Totals {
  readonly events_per_s: number
  readonly rows_per_s: number
  readonly lag_ms: number
  readonly symbol_count: number
  readonly streams_wanted: number
  readonly streams_heard: number
  readonly tape_used_bytes: number
  readonly tape_limit_bytes: number
  readonly tape_backlog_bytes: number
  /** What the tapes grow by while nothing is freed [bytes/s]. */
  readonly tape_bytes_per_s: number
  /** How long the fullest tape would last if nothing were committed from now on; null: unknown. */
  readonly tape_room_s: number | null
}

export interface DiskView {
  readonly database_bytes: number
  /** Of the partitions that the budget is about. */
  readonly used_bytes: number
  /** 0: there is no limit. */
  readonly budget_bytes: number
  /** As measured since the console began; null: not yet. */
  readonly bytes_per_hour: number | null
  /** Until the budget is used up, when the oldest hours go; null where it is never, or now. */
  readonly budget_in_s: number | null
  readonly measured_at: string
}

export interface DatasetNews {
  readonly dataset: string
  readonly date: string
  readonly is_complete: boolean
}

export interface RunView {
  readonly id: string
  readonly job: string
  readonly job_window: string
  readonly status: 'running' | 'done' | 'failed'
  readonly attempt: number
  readonly started_at: string
  readonly elapsed_s: number
  readonly row_count: number | null
  readonly byte_count: number | null
  readonly error: string | null
}

export interface Snapshot {
  readonly at: string
  readonly level: Level
  /** How everything is, in one sentence. */
  readonly sentence: string
  readonly troubles: readonly Trouble[]
  readonly totals: Totals | null
  readonly ingestors: readonly IngestorView[]
  readonly database: ServiceView
  readonly store: ServiceView
  readonly disk: DiskView | null
  readonly newest_datasets: readonly DatasetNews[]
  /** Holes that have not ended, and those of the last day that are not refilled. */
  readonly gaps: { readonly unended: number; readonly unrepaired_24h: number } | null
  readonly running: readonly RunView[]
  /** Newest run of its job and window, of the last day. */
  readonly failed: readonly RunView[]
  /** The newest point of the history, where there is a new one. */
  readonly point: HistoryPoint | null
}

/** Seconds since 1970, events/s, rows/s, lag [ms], tape backlog [bytes]. Null: nobody could say. */
export type HistoryPoint = readonly [
  at_s: number,
  events_per_s: number | null,
  rows_per_s: number | null,
  lag_ms: number | null,
  backlog_bytes: number | null,
]

/**
 * ok: as usual. late, silent: longer without a frame than is usual. unheard: no open socket carries
 * it.
 */
export type Pace = 'ok' | 'late' | 'silent' | 'unheard' | 'refused' | 'new'

export interface CellView {
  readonly channel: string
  readonly pace: Pace
  /** Since its last frame; null: there was none. */
  readonly silent_ms: number | null
  /** Usual time between two frames; null: not known yet. */
  readonly normal_ms: number | null
  readonly frames_per_s: number | null
  readonly cause: string | null
  /** From the newest event's time at the exchange to its arrival; null: not known. */
  readonly delay_ms: number | null
}

export interface SymbolView {
  readonly ingestor_id: string
  readonly exchange: string
  readonly symbol: string
  readonly is_book_in_sequence: boolean | null
  readonly cells: readonly CellView[]
}

export interface StreamsView {
  readonly at: string
  readonly channels: readonly string[]
  readonly symbols: readonly SymbolView[]
}

export interface SymbolDetail {
  readonly exchange: string
  readonly symbol: string
  readonly streams: readonly (StreamView & { readonly ingestor_id: string })[]
  /**
   * By channel, events of each minute of the last hour that is kept, oldest first; null: not known.
   */
  readonly minutes: readonly {
    readonly channel: string
    readonly from: string
    readonly counts: readonly (number | null)[]
  }[]
  readonly gaps: readonly GapView[]
  /** Why there are no gaps: the database does not answer. */
  readonly gaps_error: string | null
}

export interface GapView {
  readonly id: string
  readonly exchange: string
  readonly symbol: string
  readonly channel: string
  readonly cause: string
  readonly from_ts: string
  /** Null: it has not ended. */
  readonly to_ts: string | null
  readonly is_repaired: boolean
  readonly repaired_count: number
  readonly note: string | null
  readonly ingestor_id: string | null
}

export interface GapsView {
  readonly date: string
  readonly gaps: readonly GapView[]
  readonly is_cut: boolean
}

export interface ScheduledJob {
  readonly job: string
  /** What it does, in a few words. */
  readonly what: string
  /** Null: it runs every so many seconds. */
  readonly next_at: string | null
  readonly is_runnable: boolean
  readonly needs_date: boolean
}

export interface JobsView {
  readonly jobs: readonly ScheduledJob[]
  readonly runs: readonly RunView[]
  /** Waiting in the queue. */
  readonly queued: readonly QueuedJob[]
}

export interface QueuedJob {
  readonly job: string
  readonly run_at: string
  readonly attempts: number
  readonly last_error: string | null
}

export interface RunDetail extends RunView {
  readonly lines: readonly {
    readonly ts: string
    readonly level: string
    readonly msg: string
    readonly [fact: string]: unknown
  }[]
}

export interface DatasetDay {
  readonly date: string
  readonly schema_version: number
}
export interface DatasetsView {
  readonly datasets: readonly {
    readonly dataset: string
    readonly days: readonly DatasetDay[]
    readonly newest: DatasetNews | null
  }[]
}

export interface DaySummary {
  readonly dataset: string
  readonly date: string
  readonly is_complete: boolean
  readonly row_count: number
  readonly symbol_count: number
  /**
   * Share of the symbols' seconds that are there, 0 to 1; of a day so far, of its seconds so far.
   */
  readonly coverage: number
  readonly gap_count: number
  readonly bytes: number
}

export interface DayDetail extends DaySummary {
  readonly schema_version: number
  readonly files: readonly {
    readonly name: string
    readonly format: string
    readonly bytes: number
    readonly row_count: number
    readonly sha256: string
  }[]
  readonly symbols: readonly {
    readonly exchange: string
    readonly symbol: string
    readonly row_count: number
    readonly present_s: number
    readonly missing_s: number
    readonly gap_count: number
  }[]
  readonly columns: readonly {
    readonly name: string
    readonly unit: string
    readonly description: string
  }[]
}

export interface DatabaseView {
  readonly measured_at: string
  readonly version: string
  readonly database_bytes: number
  readonly connections: { readonly used: number; readonly limit: number }
  readonly tables: readonly {
    readonly name: string
    readonly bytes: number
    readonly partition_count: number
    readonly oldest: string | null
    readonly newest: string | null
    /** Postgres' own estimate. */
    readonly row_estimate: number
    /** Of the newest hour that is over; null where there is no partition of it. */
    readonly hour_bytes: number | null
  }[]
  readonly retention: {
    readonly used_bytes: number
    readonly budget_bytes: number
    readonly partitions: readonly {
      readonly partition: string
      readonly table_name: string
      readonly from: string
      readonly bytes: number
      readonly is_dropped: boolean
      readonly reason: string
    }[]
  }
  readonly archive: readonly {
    readonly exchange: string
    readonly table_name: string
    readonly hour_count: number
    readonly version_count: number
    /** Largest version of an hour. */
    readonly version_max: number
    readonly row_count: number
    readonly bytes: number
    readonly newest_hour: string
  }[]
}

export interface ValidationView {
  /** The newest one that jobs stored; null: none yet. */
  readonly report: Report | null
  /** The checks have not run for long. */
  readonly is_stale: boolean
  /** Of the last day, oldest first. */
  readonly history: readonly { readonly checked_at: string; readonly finding_count: number }[]
}

export interface AuditView {
  readonly entries: readonly {
    readonly audit_id: string
    readonly at: string
    readonly program: string
    readonly instance: string
    readonly actor: string
    readonly origin: string
    readonly action: string
    readonly request: unknown
    readonly before: unknown
    readonly after: unknown
    readonly result: unknown
  }[]
  /** Where the lines come from while the database is away: the ingestors' own logs. */
  readonly source: 'database' | 'ingestors'
}

export interface Identity {
  readonly scope: 'read' | 'operate'
  readonly name: string
}

/** What became of a change, by ingestor. */
export interface ChangeOutcome {
  readonly ingestor_id: string
  readonly is_done: boolean
  /** HTTP status of its answer; 0: it did not answer. */
  readonly status: number
  readonly answer: unknown
}

export type { StatusView }
