/**
 * The truth, frame by frame: a line of NDJSON for every frame that somebody had asked for, with
 * what became of it. The ledger only counts; with this a checker compares every value. Nothing is
 * kept in memory but the lines since the last flush; the file grows by about 250 bytes a frame.
 */
import { closeSync, openSync, writeSync } from 'node:fs'
import type { UndeliveredCause } from './ledger.ts'

/** `sent`: handed to a socket unharmed, which is not yet received. */
export type Outcome = 'sent' | UndeliveredCause

/** A line of the file. */
export interface TruthLine {
  readonly outcome: Outcome
  readonly stream: string
  /** As in the ledger: update_id, agg_trade_id. */
  readonly id: number
  readonly ts_ms: number
  /** The payload as it was, or would have been, sent. */
  readonly data: Readonly<Record<string, unknown>>
}

const BUFFER_CHARS = 64 * 1024

export class TruthLog {
  readonly #fd: number
  #lines = ''

  /** Begins the file anew. */
  constructor(file: string) {
    this.#fd = openSync(file, 'w', 0o600)
  }

  note(outcome: Outcome, stream: string, id: number, ts_ms: number, payload: string): void {
    this.#lines += `{"outcome":"${outcome}","stream":"${stream}","id":${id},"ts_ms":${ts_ms},"data":${payload}}\n`
    if (this.#lines.length >= BUFFER_CHARS) this.flush()
  }

  flush(): void {
    if (this.#lines === '') return
    const bytes = Buffer.from(this.#lines)
    this.#lines = ''
    for (let at = 0; at < bytes.length; ) at += writeSync(this.#fd, bytes, at)
  }

  close(): void {
    this.flush()
    closeSync(this.#fd)
  }
}
