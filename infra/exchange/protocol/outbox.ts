/**
 * Outgoing frames of one socket. They are encoded into one buffer and written once per tick,
 * because one write per frame would limit the server's rate. This class makes only unfragmented,
 * unmasked server frames; the `ws` package does the handshake, pings and responses.
 */
import type { Socket } from 'node:net'
import { setTimeout as sleep } from 'node:timers/promises'

const CHUNK_BYTES = 64 * 1024
const HEADER_BYTES_MAX = 10
const TEXT_FRAME = 0x81
const DRAIN_POLL_MS = 1

export class Outbox {
  readonly #socket: Socket
  #chunk = Buffer.allocUnsafeSlow(CHUNK_BYTES)
  #start = 0
  #end = 0

  constructor(socket: Socket) {
    this.#socket = socket
  }

  text(text: string): void {
    const length = Buffer.byteLength(text)
    this.#reserve(length)
    this.#end = writeHeader(this.#chunk, this.#end, length)
    this.#end += this.#chunk.write(text, this.#end, 'utf8')
  }

  /** Adds a text frame of these bytes, even if they are not UTF-8. */
  bytes(payload: Buffer): void {
    this.#reserve(payload.length)
    this.#end = writeHeader(this.#chunk, this.#end, payload.length)
    this.#end += payload.copy(this.#chunk, this.#end)
  }

  /** Sends frames that are already encoded, without copying them. */
  encoded(frames: Buffer): void {
    this.flush()
    if (!this.#socket.destroyed) this.#socket.write(frames)
  }

  /** Sends the first half of a frame, then ends the connection. */
  cut(text: string): void {
    this.flush()
    this.text(text)
    this.#end = this.#start + Math.ceil((this.#end - this.#start) / 2)
    this.flush()
    this.#socket.destroySoon()
  }

  flush(): void {
    if (this.#end === this.#start) return
    if (!this.#socket.destroyed) this.#socket.write(this.#chunk.subarray(this.#start, this.#end))
    this.#start = this.#end
  }

  /** Bytes that the client has not taken yet. */
  get waiting_bytes(): number {
    return this.#socket.writableLength + this.#end - this.#start
  }

  /** Resolves when at most `limit_bytes` wait for the client, or when the socket is gone. */
  async drained(limit_bytes = 0): Promise<void> {
    this.flush()
    // Small writes cause no 'drain' event, so this polls.
    while (this.waiting_bytes > limit_bytes && !this.#socket.destroyed) await sleep(DRAIN_POLL_MS)
  }

  /** Makes room for a frame. Flushes the current chunk before it starts a new one. */
  #reserve(payload_bytes: number): void {
    const needed = payload_bytes + HEADER_BYTES_MAX
    if (this.#end + needed <= this.#chunk.length) return
    this.flush()
    // The socket still reads from the old chunk, so chunks are never reused.
    this.#chunk = Buffer.allocUnsafeSlow(Math.max(CHUNK_BYTES, needed))
    this.#start = 0
    this.#end = 0
  }
}

function writeHeader(chunk: Buffer, at: number, length: number): number {
  chunk[at] = TEXT_FRAME
  if (length < 126) {
    chunk[at + 1] = length
    return at + 2
  }
  if (length < 65_536) {
    chunk[at + 1] = 126
    chunk.writeUInt16BE(length, at + 2)
    return at + 4
  }
  chunk[at + 1] = 127
  chunk.writeUInt32BE(0, at + 2)
  chunk.writeUInt32BE(length, at + 6)
  return at + 10
}
