/**
 * The truth log: one NDJSON line per requested frame, with its outcome. The ledger only counts; the
 * truth log lets a checker compare every value. Memory holds only the lines since the last flush;
 * the file grows by about 250 bytes per frame.
 */
import { closeSync, openSync, writeSync } from 'node:fs'
import type { UndeliveredCause } from './ledger.ts'

/** `sent`: written intact to a socket, but not necessarily received. */
export type Outcome = 'sent' | UndeliveredCause

/** A line of the file. */
export interface TruthLine {
  readonly outcome: Outcome
  readonly stream: string
  /** As in the ledger: update_id, agg_trade_id. */
  readonly id: number
  readonly ts_ms: number
  /** The payload that was, or would have been, sent. */
  readonly data: Readonly<Record<string, unknown>>
}

const BUFFER_CHARS = 64 * 1024

export class TruthLog {
  readonly #fd: number
  #lines = ''

  /** Truncates the file. */
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
    for (let at = 0; at < bytes.length;) at += writeSync(this.#fd, bytes, at)
  }

  close(): void {
    this.flush()
    closeSync(this.#fd)
  }
}
