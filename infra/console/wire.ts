/** The JSON that the console's server sends to its page. Types only. */
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

/** A problem, as a sentence, and the page with the details. */
export interface Trouble {
  readonly level: Exclude<Level, 'ok'>
  readonly code: string
  readonly text: string
  readonly page: PageName
}

/**
 * answers: its status is current. silent: it should answer and does not. elsewhere: only its own
 * machine can reach it. stopped: it reported its end.
 */
export type Reach = 'answers' | 'silent' | 'elsewhere' | 'stopped'

export interface IngestorView {
  readonly ingestor_id: string
  readonly exchange: string
  readonly host: string
  readonly version: string
  readonly endpoint: string | null
  readonly reach: Reach
  /** Why it does not answer, as text. */
  readonly error: string | null
  /** Age of its last heartbeat in the database; null if only its endpoint is known. */
  readonly seen_s: number | null
  /** Its newest answer, received at `answered_at`. Without the names of its symbols. */
  readonly status: StatusView | null
  readonly answered_at: string | null
}

/** Counts of one ingestor in the last minute. */
export interface Recent {
  /** Frames, or parts of them, that break the exchange's documentation. */
  readonly rejected: number
  /** Events that arrived twice. */
  readonly duplicates: number
  /** New gaps in the ledger. */
  readonly gaps: number
  /** Sockets that replaced others. */
  readonly sockets_opened: number
}

export interface ServiceView {
  readonly is_up: boolean
  /** When its state last changed. */
  readonly since: string
  readonly error: string | null
}

/** Sums over all ingestors. Null: unknown. */
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
  /** How fast the tapes grow while nothing is freed [bytes/s]. */
  readonly tape_bytes_per_s: number
  /** How long the fullest tape lasts if nothing is committed from now on; null: unknown. */
  readonly tape_room_s: number | null
}

export interface DiskView {
  readonly database_bytes: number
  /** Size of the partitions that count towards the budget. */
  readonly used_bytes: number
  /** 0: no limit. */
  readonly budget_bytes: number
  /** Measured since the console started; null: too early. */
  readonly bytes_per_hour: number | null
  /** Time until the budget is used up and retention drops hours; null: never, or now. */
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
  /** The state of the installation in one sentence. */
  readonly sentence: string
  readonly troubles: readonly Trouble[]
  readonly totals: Totals | null
  readonly ingestors: readonly IngestorView[]
  readonly database: ServiceView
  readonly store: ServiceView
  readonly disk: DiskView | null
  readonly newest_datasets: readonly DatasetNews[]
  /** Gaps that have not ended, and gaps of the last day that are not refilled. */
  readonly gaps: { readonly unended: number; readonly unrepaired_24h: number } | null
  readonly running: readonly RunView[]
  /** Runs of the last day that failed and were not repeated with success. */
  readonly failed: readonly RunView[]
  /** The newest point of the history. */
  readonly point: HistoryPoint | null
}

/** Seconds since 1970, events/s, rows/s, lag [ms], tape backlog [bytes]. Null: unknown. */
export type HistoryPoint = readonly [
  at_s: number,
  events_per_s: number | null,
  rows_per_s: number | null,
  lag_ms: number | null,
  backlog_bytes: number | null,
]

/**
 * ok: normal. late, silent: the wait for a frame is longer than normal. unheard: no open socket
 * carries the stream.
 */
export type Pace = 'ok' | 'late' | 'silent' | 'unheard' | 'refused' | 'new'

export interface CellView {
  readonly channel: string
  readonly pace: Pace
  /** Time since its last frame; null: none yet. */
  readonly silent_ms: number | null
  /** Mean time between two frames; null: not known yet. */
  readonly normal_ms: number | null
  readonly frames_per_s: number | null
  readonly cause: string | null
  /** Delay from the exchange's time of the newest event to its arrival; null: unknown. */
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
  /** By channel: the events of each stored minute of the last hour, oldest first; null: unknown. */
  readonly minutes: readonly {
    readonly channel: string
    readonly from: string
    readonly counts: readonly (number | null)[]
  }[]
  readonly gaps: readonly GapView[]
  /** Why no gaps are listed: the database does not answer. */
  readonly gaps_error: string | null
}

export interface GapView {
  readonly id: string
  readonly exchange: string
  readonly symbol: string
  readonly channel: string
  readonly cause: string
  readonly from_ts: string
  /** Null: the gap has not ended. */
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
  /** What the job does, in a few words. */
  readonly what: string
  /** Null: the daemon repeats it every few seconds. */
  readonly next_at: string | null
  readonly is_runnable: boolean
  readonly needs_date: boolean
}

export interface JobsView {
  readonly jobs: readonly ScheduledJob[]
  readonly runs: readonly RunView[]
  /** Jobs in the queue. */
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
   * Share of the symbols' seconds with data, 0 to 1. Of an unfinished day: of its seconds so far.
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
    /** The estimate of Postgres. */
    readonly row_estimate: number
    /** Size of the newest finished hour; null if it has no partition. */
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
    /** Highest version of an archived hour. */
    readonly version_max: number
    readonly row_count: number
    readonly bytes: number
    readonly newest_hour: string
  }[]
}

export interface ValidationView {
  /** The newest stored report; null: none yet. */
  readonly report: Report | null
  /** The checks are overdue. */
  readonly is_stale: boolean
  /** Reports of the last day, oldest first. */
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
  /** `ingestors`: the database is away, so the entries come from the ingestors' own logs. */
  readonly source: 'database' | 'ingestors'
}

export interface Identity {
  readonly scope: 'read' | 'operate'
  readonly name: string
}

/** The result of a change at one ingestor. */
export interface ChangeOutcome {
  readonly ingestor_id: string
  readonly is_done: boolean
  /** HTTP status of its answer; 0: no answer. */
  readonly status: number
  readonly answer: unknown
}

export type { StatusView }
