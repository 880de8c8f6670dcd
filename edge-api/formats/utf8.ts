/** Encodes text while it is written, piece by piece, so that the whole text is never a string. */
import { release } from '../memory/release.ts'

const PIECE_CHARS = 64 << 10

export class Utf8Text {
  readonly #encoder = new TextEncoder()
  readonly #pieces: Uint8Array[] = []
  #byte_count = 0
  #text = ''

  add(text: string): void {
    this.#text += text
    if (this.#text.length >= PIECE_CHARS) this.#encode()
  }

  /** All the text that was added. Call it once. */
  bytes(): Uint8Array<ArrayBuffer> {
    this.#encode()
    const bytes = new Uint8Array(this.#byte_count)
    let at = 0
    for (const piece of this.#pieces) {
      bytes.set(piece, at)
      at += piece.byteLength
      release(piece)
    }
    return bytes
  }

  #encode(): void {
    const piece = this.#encoder.encode(this.#text)
    this.#text = ''
    this.#pieces.push(piece)
    this.#byte_count += piece.byteLength
  }
}
