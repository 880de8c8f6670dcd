/**
 * Lost trade streams for which it is still unknown whether they missed anything. Pure: the caller
 * passes in which streams are covered, what is committed, and the time.
 */
interface LostStream {
  /** The database knows of the loss once the tape is committed up to here. */
  readonly position: number
  /** Covered without a break since then, in ms of the caller's clock. */
  covered_since_ms: number | undefined
}

export class LostStreams {
  readonly #streams = new Map<string, LostStream>()
  readonly #quiet_ms: number

  constructor(quiet_ms: number) {
    this.#quiet_ms = quiet_ms
  }

  get size(): number {
    return this.#streams.size
  }

  add(symbols: readonly string[], position: number): void {
    for (const symbol of symbols) {
      this.#streams.set(symbol, { position, covered_since_ms: undefined })
    }
  }

  /** Changes when the stream is lost again; undefined if the stream is not in the list. */
  positionOf(symbol: string): number | undefined {
    return this.#streams.get(symbol)?.position
  }

  forget(symbols: readonly string[]): void {
    for (const symbol of symbols) this.#streams.delete(symbol)
  }

  /** The streams that have been covered and quiet for long enough. */
  due(covered: readonly string[], committed_position: number, now_ms: number): readonly string[] {
    const heard = new Set(covered)
    const due: string[] = []
    for (const [symbol, stream] of this.#streams) {
      stream.covered_since_ms = heard.has(symbol) ? (stream.covered_since_ms ?? now_ms) : undefined
      const { covered_since_ms, position } = stream
      if (covered_since_ms === undefined || now_ms - covered_since_ms < this.#quiet_ms) continue
      if (committed_position >= position) due.push(symbol)
    }
    return due
  }
}
