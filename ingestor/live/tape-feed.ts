/**
 * Follows one ingestor's tape with the writer's own code: the same parsing, the same checks of
 * times and sequences, the same gaps. It only reads files, so it costs the recording nothing.
 *
 * It begins before the writer's committed position, so that the newest messages are in memory at
 * once. Rows and gaps before that position are in Postgres already, so it reads frames and answers
 * of that part, but no marks. The first PRIMED_US of it only tell which rows are known.
 */
import { OperatorError } from '#core/errors.ts'
import type { Gap } from '#core/market.ts'
import type { Logger } from '#core/node/log.ts'
import type { Instrument } from '#core/symbols.ts'
import { type Micros, micros } from '#core/time.ts'
import type { StreamChoice } from '../exchanges/adapter.ts'
import { openReader, type TapeReader } from '../tape/reader.ts'
import type { RecordKind, TapeRecord } from '../tape/record.ts'
import { listSegmentNames, listSegments, requireSegments } from '../tape/segments.ts'
import { type Batcher, createBatcher } from '../writer/batcher.ts'
import type { StoredEvent } from '../writer/copy-encoder.ts'
import type { CommittedState } from './committed-state.ts'

/** The rows and gaps of one record of the tape. */
export interface Received {
  readonly stamp: Micros
  /** Where the record is; undefined for a gap that is proved by time, not by a record. */
  readonly position: number | undefined
  readonly kind: RecordKind
  readonly events: readonly StoredEvent[]
  readonly gaps: readonly Gap[]
  /** These rows are in Postgres, and only tell what is known. */
  readonly is_primer: boolean
}

export interface TapeFeedOptions {
  readonly dir: string
  readonly committed: CommittedState
  readonly choice: StreamChoice
  /** Messages received this long before the start are in memory at the start. */
  readonly warm_us: number
  readonly now: () => Micros
  readonly log: Logger
  take(received: Received): void
  takeListing(instruments: readonly Instrument[]): void
}

/** Gaps that time proves, and listings, are taken so often: it goes through all streams. */
const SEAL_EVERY_US = 100_000

/** Longer than two sockets of an ingestor overlap. */
export const PRIMED_US = 15_000_000

export class TapeFeed {
  readonly tape_id: string
  /** Messages received later are passed on; the others are in Postgres. */
  floor: number
  /** The same for gaps. Marks prove gaps, and are read from the committed position on. */
  gap_floor: number
  /** When the newest record was received. */
  newest_stamp = micros(0)
  /** When the first record to be read was received; 0 if there is none. */
  readonly first_stamp: number
  is_caught_up = false
  record_count = 0
  /** When the oldest record since the last call of takeOldest was received. */
  #oldest_stamp: number | undefined
  readonly #options: TapeFeedOptions
  readonly #reader: TapeReader
  readonly #batcher: Batcher
  readonly #committed_position: number
  #primed_until: number | undefined
  #events: StoredEvent[] = []
  #gaps: Gap[] = []
  /** Of the tape's and of our time, when the batch was sealed last. */
  #sealed = { stamp: 0, at: 0 }
  #has_unsealed = false

  /** Throws OperatorError `tape_missing` while there is no tape. */
  constructor(options: TapeFeedOptions) {
    const { dir, committed, choice } = options
    this.#options = options
    const { position, committed_position } = startOf(options)
    this.first_stamp = firstStamp(dir, position)
    this.#reader = openReader(dir, position)
    this.tape_id = this.#reader.tape_id
    this.#committed_position = committed_position
    this.floor = 0
    this.gap_floor = 0
    // Nothing comes before the beginning of a tape.
    this.#primed_until = position === 0 ? 0 : undefined
    this.#batcher = createBatcher({
      from_position: position,
      offsets: committed.offsets,
      mark_prices: committed.mark_prices,
      covered_until: committed.covered_until,
      choice,
      onRejected: () => undefined,
      sink: {
        takeRow: (event) => void this.#events.push(event),
        takeGap: (gap) => void this.#gaps.push(gap),
      },
    })
  }

  /** Reads about `limit_bytes` of the tape. Returns false at its end. */
  read(limit_bytes: number): boolean {
    const { damage, records } = this.#reader.readBatch(limit_bytes)
    if (damage !== undefined) {
      const { from, to, path } = damage
      this.#options.log.error(
        { code: 'tape_damaged', from, to, path },
        'A part of the tape is damaged; its frames are missing.',
      )
      this.#batcher.skip(to - from)
      this.#passOn(this.newest_stamp, 'mark', undefined)
    }
    for (const record of records) this.#take(record)
    if (records.length > 0) this.#has_unsealed = true
    this.#sealIfDue()
    this.is_caught_up = records.length === 0 && damage === undefined
    return !this.is_caught_up
  }

  /** When the oldest record since the last call was received; undefined if there was none. */
  takeOldestStamp(): number | undefined {
    const oldest = this.#oldest_stamp
    this.#oldest_stamp = undefined
    return oldest
  }

  /** Throws if the directory no longer holds this tape. */
  check(): void {
    const newest = listSegmentNames(this.#options.dir).at(-1)
    if (newest === undefined || newest.first <= this.#reader.position) return
    if (this.is_caught_up) return
    const segments = listSegments(this.#options.dir)
    if (segments.some(({ header }) => header?.tape_id === this.tape_id)) return
    throw new OperatorError('tape_replaced', `${this.#options.dir} holds another tape now.`, {
      hint: 'The live server has to be started again to follow it.',
    })
  }

  close(): void {
    this.#reader.close()
  }

  #sealIfDue(): void {
    const at = this.#options.now()
    const { stamp: before, at: then } = this.#sealed
    const is_due = this.newest_stamp - before >= SEAL_EVERY_US || at - then >= SEAL_EVERY_US
    if (!this.#has_unsealed || !is_due) return
    this.#sealed = { stamp: this.newest_stamp, at }
    this.#has_unsealed = false
    const { listings } = this.#batcher.seal(this.#reader.position)
    for (const { instruments } of listings) this.#options.takeListing(instruments)
    this.#passOn(this.newest_stamp, 'mark', undefined)
  }

  #take(record: TapeRecord): void {
    const { position, kind, ts_ingest } = record
    this.record_count++
    this.#oldest_stamp ??= ts_ingest
    this.newest_stamp = micros(Math.max(this.newest_stamp, ts_ingest))
    if (this.#primed_until === undefined) this.#primed_until = ts_ingest + PRIMED_US
    const is_committed = position < this.#committed_position
    const is_primer = is_committed && ts_ingest < this.#primed_until
    if (is_primer || this.floor === 0) {
      this.floor = is_primer ? Math.max(this.floor, ts_ingest) : Math.max(this.floor, ts_ingest - 1)
    }
    if (is_committed) this.gap_floor = Math.max(this.gap_floor, ts_ingest)
    if (kind === 'mark' && is_committed) return
    this.#batcher.add(record)
    this.#passOn(ts_ingest, kind, position, is_primer)
  }

  #passOn(stamp: Micros, kind: RecordKind, position: number | undefined, is_primer = false): void {
    if (this.#events.length === 0 && this.#gaps.length === 0) return
    const [events, gaps] = [this.#events, this.#gaps]
    this.#events = []
    this.#gaps = []
    this.#options.take({ stamp, position, kind, events, gaps, is_primer })
  }
}

/**
 * How long ago the oldest record was received that a feed has not read yet [us]; 0: all are read.
 */
export function behindUs(feeds: readonly TapeFeed[], now: Micros): number {
  return Math.max(0, ...feeds.map((feed) => (feed.is_caught_up ? 0 : now - feed.newest_stamp)))
}

/**
 * Finds where to begin: the start of a segment that is older than what memory shall hold, and
 * before the committed position. A tape that the database does not know has nothing committed.
 */
function startOf({ dir, committed, warm_us, now }: TapeFeedOptions): {
  readonly position: number
  readonly committed_position: number
} {
  const segments = requireSegments(dir)
  const is_known = segments.some(({ header }) => header?.tape_id === committed.tape_id)
  const committed_position = is_known ? committed.position : 0
  const wanted_us = now() - warm_us - PRIMED_US
  const start = segments.findLast(
    ({ header, first }) =>
      header !== undefined && header.created_us <= wanted_us && first <= committed_position,
  )
  return { position: (start ?? segments[0]).first, committed_position }
}

function firstStamp(dir: string, position: number): number {
  const reader = openReader(dir, position)
  try {
    return reader.readBatch(1).records[0]?.ts_ingest ?? 0
  } finally {
    reader.close()
  }
}
