/**
 * Counters by outcome. Every frame and REST answer on the tape counts as exactly one of control,
 * ignored, rejected, event_frames or event_answers. Every event counts as exactly one of rows,
 * duplicates, conflicts or dead_letters. Nothing is counted before it is committed.
 */
import { CHANNELS, type Channel } from '#core/market.ts'
import type { RejectReason } from '../exchanges/adapter.ts'

export type PerTable = { readonly [name in Channel]: number }

export interface FollowCounts {
  /** WebSocket frames read from the tape. */
  readonly frames: number
  /** REST answers read from the tape. */
  readonly rest_answers: number
  readonly marks: number
  /** Frames that held events. */
  readonly event_frames: number
  /** REST answers that held a book or a list of trades, even an empty one. */
  readonly event_answers: number
  /** REST answers that held a book. */
  readonly book_answers: number
  readonly control: number
  /** By the exchange's stream class; classes beyond the first 50 are counted as `other`. */
  readonly ignored: Readonly<Record<string, number>>
  readonly rejected: { readonly [reason in RejectReason]?: number }
  /** Rejected list elements in frames and answers that also held valid events. */
  readonly rejected_elements: { readonly [reason in RejectReason]?: number }
  /** Events that should become a row. */
  readonly events: PerTable
  /** Ids that the exchange used for something other than a market trade. They get no rows. */
  readonly void_trades: number
  /** Rows that this writer added to the tables. */
  readonly rows: PerTable
  /** Events whose row was already stored by a replay, another ingestor, or a second socket. */
  readonly duplicates: PerTable
  /** Events whose key is already stored with other values. See conflicts.ts. */
  readonly conflicts: PerTable
  /** Rows that Postgres refused. They are in the dead-letter file. */
  readonly dead_letters: number
  /** Listed instruments, gaps and offsets that Postgres refused. They are in the same file. */
  readonly refused_records: number
  /** New rows of the gap ledger. */
  readonly gaps: number
  /** Bytes of the tape that could not be read. */
  readonly damaged_bytes: number
}

type Mutable<T> = T extends object ? { -readonly [K in keyof T]: Mutable<T[K]> } : T
export type MutableCounts = Mutable<FollowCounts>

const IGNORED_CLASSES_MAX = 50

export function createFollowCounts(): MutableCounts {
  return {
    frames: 0,
    rest_answers: 0,
    marks: 0,
    event_frames: 0,
    event_answers: 0,
    book_answers: 0,
    control: 0,
    ignored: {},
    rejected: {},
    rejected_elements: {},
    events: perTable(),
    void_trades: 0,
    rows: perTable(),
    duplicates: perTable(),
    conflicts: perTable(),
    dead_letters: 0,
    refused_records: 0,
    gaps: 0,
    damaged_bytes: 0,
  }
}

export function perTable(): Record<Channel, number> {
  return Object.fromEntries(CHANNELS.map((channel) => [channel, 0])) as Record<Channel, number>
}

/** Counts frames of a stream class that is not recorded. */
export function countIgnored(counts: MutableCounts, stream_class: string, count = 1): void {
  const { ignored } = counts
  const known = ignored[stream_class] !== undefined
  const key = known || Object.keys(ignored).length < IGNORED_CLASSES_MAX ? stream_class : 'other'
  ignored[key] = (ignored[key] ?? 0) + count
}

/** Adds `more` to `total`. */
export function addCounts(total: MutableCounts, more: FollowCounts): void {
  for (const [stream_class, count] of Object.entries(more.ignored)) {
    countIgnored(total, stream_class, count)
  }
  for (const name of ['rejected', 'rejected_elements'] as const) {
    for (const [reason, count] of Object.entries(more[name]) as [RejectReason, number][]) {
      total[name][reason] = (total[name][reason] ?? 0) + count
    }
  }
  for (const name of ['events', 'rows', 'duplicates', 'conflicts'] as const) {
    for (const channel of CHANNELS) total[name][channel] += more[name][channel]
  }
  total.frames += more.frames
  total.rest_answers += more.rest_answers
  total.marks += more.marks
  total.event_frames += more.event_frames
  total.event_answers += more.event_answers
  total.book_answers += more.book_answers
  total.control += more.control
  total.void_trades += more.void_trades
  total.dead_letters += more.dead_letters
  total.refused_records += more.refused_records
  total.gaps += more.gaps
  total.damaged_bytes += more.damaged_bytes
}

export function sumOf(counts: Readonly<Record<string, number>>): number {
  return Object.values(counts).reduce((sum, count) => sum + count, 0)
}
