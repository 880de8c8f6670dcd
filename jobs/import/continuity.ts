/**
 * Whether a file has everything between its first row and its last one. Ids that should go up by
 * one show what is missing exactly; other streams show it by long silence.
 */
import type { FileKind } from './kind.ts'

/** Something is missing between two events. Ids are null if the stream has none that count. */
export interface Missing {
  readonly from_ts: number
  readonly to_ts: number
  readonly from_id: number | null
  readonly to_id: number | null
}

type Fills = readonly [first: number, last: number]

export interface Edge {
  readonly ts: number
  readonly id: number | null
}

/** Gaps of one file. A file of which every second id is missing must not fill the ledger. */
const PLACES_MAX = 2_000

export class Continuity {
  readonly #kind: Pick<FileKind, 'ids_are_consecutive' | 'silence_us'>
  readonly #missing: Missing[] = []
  #is_joined = false
  #last_fill: number | undefined
  #first: Edge | undefined
  #last: Edge | undefined
  /** Ids that came more than once. */
  repeated_count = 0

  constructor(kind: Pick<FileKind, 'ids_are_consecutive' | 'silence_us'>) {
    this.#kind = kind
  }

  get first(): Edge | undefined {
    return this.#first
  }

  get last(): Edge | undefined {
    return this.#last
  }

  /** In order. If there are very many, neighbours are joined; their ids then span more. */
  get missing(): readonly Missing[] {
    return this.#missing
  }

  /** `ts` undefined: an id that is void has no time of its own. */
  see(ts: number | undefined, id: number | null, fills?: Fills): void {
    const at = ts ?? this.#last?.ts
    if (at === undefined) return
    if (this.#kind.ids_are_consecutive && id !== null) this.#seeId(at, id, fills)
    else this.#seeTime(at, id)
  }

  #seeTime(ts: number, id: number | null): void {
    const last = this.#last
    const { silence_us = Infinity } = this.#kind
    if (last !== undefined && ts - last.ts > silence_us) {
      this.#add({ from_ts: last.ts, to_ts: ts, from_id: null, to_id: null })
    }
    this.#first ??= { ts, id }
    this.#last = { ts: Math.max(ts, last?.ts ?? 0), id }
  }

  #seeId(ts: number, id: number, fills: Fills | undefined): void {
    const last = this.#last
    if (last === undefined) {
      this.#first = { ts, id }
      this.#last = { ts, id }
      this.#last_fill = fills?.[1]
      return
    }
    const last_id = last.id!
    if (id <= last_id) return this.#seeOld(ts, id)
    // The exchange skips ids. Nothing is missing if the trades in the aggregates follow each other.
    const is_skipped = fills !== undefined && fills[0] - 1 === this.#last_fill
    if (id > last_id + 1 && !is_skipped) {
      this.#add({ from_ts: last.ts, to_ts: ts, from_id: last_id, to_id: id })
    }
    this.#last_fill = fills?.[1]
    this.#last = { ts: Math.max(ts, last.ts), id }
  }

  #add(missing: Missing): void {
    this.#missing.push(missing)
    if (this.#missing.length <= PLACES_MAX) return
    const joined: Missing[] = []
    for (let i = 0; i < this.#missing.length; i += 2) {
      const [left, right] = [this.#missing[i]!, this.#missing[i + 1]]
      joined.push(right === undefined ? left : { ...left, to_ts: right.to_ts, to_id: right.to_id })
    }
    this.#missing.splice(0, Infinity, ...joined)
    this.#is_joined = true
  }

  /** An id that comes late: it was missing, or precedes the first one, or came before. */
  #seeOld(ts: number, id: number): void {
    const first = this.#first!
    if (id < first.id!) {
      if (first.id! > id + 1) {
        this.#missing.unshift({ from_ts: ts, to_ts: first.ts, from_id: id, to_id: first.id })
      }
      this.#first = { ts: Math.min(ts, first.ts), id }
      return
    }
    const place = this.#missing.findIndex(({ from_id, to_id }) => from_id! < id && id < to_id!)
    if (place === -1) {
      this.repeated_count += 1
      return
    }
    // A joined place also has ids that came before, so it says nothing of this one.
    if (this.#is_joined) return
    const { from_ts, to_ts, from_id, to_id } = this.#missing[place]!
    const parts: readonly Missing[] = [
      { from_ts, to_ts, from_id, to_id: id },
      { from_ts, to_ts, from_id: id, to_id },
    ]
    this.#missing.splice(place, 1, ...parts.filter((part) => part.to_id! > part.from_id! + 1))
  }
}
