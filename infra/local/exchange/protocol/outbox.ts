/**
 * Frames on their way to one socket. They are encoded into one buffer and written once a tick:
 * a write per frame is what bounds a WebSocket server's rate. Only unfragmented, unmasked server
 * frames are made here; the handshake, pings and answers are the `ws` package's.
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

  /** A text frame of these bytes, whether or not they are UTF-8. */
  bytes(payload: Buffer): void {
    this.#reserve(payload.length)
    this.#end = writeHeader(this.#chunk, this.#end, payload.length)
    this.#end += payload.copy(this.#chunk, this.#end)
  }

  /** Whole frames that are encoded already. They are not copied. */
  encoded(frames: Buffer): void {
    this.flush()
    if (!this.#socket.destroyed) this.#socket.write(frames)
  }

  /** The first half of a frame, and then the end of the connection. */
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

  /** Bytes the other side has not taken from us yet. */
  get waiting_bytes(): number {
    return this.#socket.writableLength + this.#end - this.#start
  }

  /** Settles when no more than this waits for the other side, or the socket is gone. */
  async drained(limit_bytes = 0): Promise<void> {
    this.flush()
    // 'drain' does not follow small writes, so this looks instead.
    while (this.waiting_bytes > limit_bytes && !this.#socket.destroyed) await sleep(DRAIN_POLL_MS)
  }

  /** Room for a frame. What is already in the chunk goes out before a new one is begun. */
  #reserve(payload_bytes: number): void {
    const needed = payload_bytes + HEADER_BYTES_MAX
    if (this.#end + needed <= this.#chunk.length) return
    this.flush()
    // The socket still reads from the old chunk, so it is never reused.
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
