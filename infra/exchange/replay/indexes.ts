/** Index prices of a recording: their names, and the newest values played. */
import { INDEX_CHANNEL, readIndexFrame } from '../deribit/index-channel.ts'
import type { IndexSource, IndexValue } from '../source.ts'
import { parseObject } from './frame.ts'

export class ReplayIndexes implements IndexSource {
  readonly #names: readonly string[]
  readonly #latest = new Map<string, IndexValue>()

  /** `streams`: all streams of the recording. */
  constructor(streams: Iterable<string>) {
    this.#names = [...streams].flatMap((stream) =>
      stream.startsWith(INDEX_CHANNEL) ? [stream.slice(INDEX_CHANNEL.length)] : [],
    )
  }

  /** Keeps the value of a frame for later requests. */
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
