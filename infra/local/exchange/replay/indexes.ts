/** Price indexes of a recording: their names, and the values that were played so far. */
import { INDEX_CHANNEL, readIndexFrame } from '../deribit/index-channel.ts'
import type { IndexSource, IndexValue } from '../source.ts'
import { parseObject } from './frame.ts'

export class ReplayIndexes implements IndexSource {
  readonly #names: readonly string[]
  readonly #latest = new Map<string, IndexValue>()

  /** Of all the recording's streams. */
  constructor(streams: Iterable<string>) {
    this.#names = [...streams].flatMap((stream) =>
      stream.startsWith(INDEX_CHANNEL) ? [stream.slice(INDEX_CHANNEL.length)] : [],
    )
  }

  /** Keeps the value of a frame for later questions. */
  note(text: string): void {
    const frame = readIndexFrame(parseObject(text) ?? {})
    if (frame !== undefined) this.#latest.set(frame.name, frame.value)
  }

  names(): readonly string[] {
    return this.#names
  }

  latest(name: string): IndexValue | undefined {
    return this.#latest.get(name)
  }
}
