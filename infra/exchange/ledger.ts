/**
 * The ledger of sent frames. Per stream: counts, ids, and the ranges of requested frames that were
 * not delivered. A checker compares the ledger with the recorded rows. Memory is bounded: each
 * stream keeps its newest RANGES_MAX ranges and merges older ones.
 */

/** Why a requested frame did not arrive intact. */
export type UndeliveredCause =
  | 'no_socket' // subscribed earlier and not unsubscribed, but no socket is connected now
  | 'drop'
  | 'silence'
  | 'corrupt'
  | 'out_of_range'
  | 'cut'

/** Consecutive frames that were not delivered, for one cause. */
export interface UndeliveredRange {
  readonly from_id: number
  readonly to_id: number
  readonly from_ts_ms: number
  readonly to_ts_ms: number
  readonly count: number
  readonly cause: UndeliveredCause
  /** True for older ranges merged into one: delivered frames may be between its ends. */
  readonly merged: boolean
}

export interface StreamLedger {
  readonly stream: string
  /** Frames sent intact; a duplicate counts once. */
  readonly sent_count: number
  /** Copies of intact frames over all sockets, duplicates included. */
  readonly copy_count: number
  readonly first_id: number | null
  readonly last_id: number | null
  /** Sum of (id mod ID_MODULUS) over the frames sent, mod ID_MODULUS. */
  readonly id_sum_mod: number
  /** Frames without a subscriber. A simulation makes none before a stream's first subscriber. */
  readonly not_subscribed_count: number
  readonly undelivered_count: number
  readonly undelivered: readonly UndeliveredRange[]
}

export interface Ledger {
  readonly streams: readonly StreamLedger[]
  /** Recorded frames that belong to no stream; each is sent to one socket. */
  readonly unroutable_count: number
  readonly unroutable_sent_count: number
  /** Recorded book snapshots, and how many of them were served. */
  readonly snapshots: SnapshotLedger
}

/** All 0 for a simulation, which makes a snapshot for every request. */
export interface SnapshotLedger {
  readonly recorded_count: number
  /** Each counts once, however often it was served. */
  readonly given_count: number
  /** Symbols whose snapshots were never served. */
  readonly symbols_left_count: number
}

export const ID_MODULUS = 1_000_000_007
export const RANGES_MAX = 256

/** The account of one stream. */
export class StreamAccount {
  readonly #stream: string
  #sent_count = 0
  #copy_count = 0
  #first_id: number | null = null
  #last_id: number | null = null
  #id_sum_mod = 0
  #not_subscribed_count = 0
  #undelivered_count = 0
  readonly #ranges: UndeliveredRange[] = []
  /** True while the last frame was undelivered, so that the next one may extend its range. */
  #in_range = false

  constructor(stream: string) {
    this.#stream = stream
  }

  sent(id: number, copies: number): void {
    this.#in_range = false
    this.#sent_count += 1
    this.#copy_count += copies
    this.#first_id ??= id
    this.#last_id = id
    this.#id_sum_mod = (this.#id_sum_mod + (id % ID_MODULUS)) % ID_MODULUS
  }

  copiedAgain(copies: number): void {
    this.#copy_count += copies
  }

  notSubscribed(): void {
    this.#not_subscribed_count += 1
  }

  undelivered(id: number, ts_ms: number, cause: UndeliveredCause): void {
    this.#undelivered_count += 1
    const last = this.#ranges.at(-1)
    if (this.#in_range && last?.cause === cause) {
      this.#ranges[this.#ranges.length - 1] = {
        ...last,
        to_id: id,
        to_ts_ms: ts_ms,
        count: last.count + 1,
      }
      return
    }
    this.#in_range = true
    const at = { from_id: id, to_id: id, from_ts_ms: ts_ms, to_ts_ms: ts_ms }
    this.#ranges.push({ ...at, count: 1, cause, merged: false })
    if (this.#ranges.length > RANGES_MAX) this.#mergeOldest()
  }

  report(): StreamLedger {
    return {
      stream: this.#stream,
      sent_count: this.#sent_count,
      copy_count: this.#copy_count,
      first_id: this.#first_id,
      last_id: this.#last_id,
      id_sum_mod: this.#id_sum_mod,
      not_subscribed_count: this.#not_subscribed_count,
      undelivered_count: this.#undelivered_count,
      undelivered: [...this.#ranges],
    }
  }

  #mergeOldest(): void {
    const [oldest, next] = this.#ranges.splice(0, 2)
    this.#ranges.unshift({
      from_id: oldest!.from_id,
      to_id: next!.to_id,
      from_ts_ms: oldest!.from_ts_ms,
      to_ts_ms: next!.to_ts_ms,
      count: oldest!.count + next!.count,
      cause: oldest!.cause,
      merged: true,
    })
  }
}
