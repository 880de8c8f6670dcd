/**
 * Takes text frames from the reads of a WebSocket before ws does. For each frame ws makes six views
 * and a list, and it pauses and resumes the socket for each read; a feed is almost only frames that
 * a read holds whole. All other bytes go to ws in their order: control frames, fragments, frames
 * that a read cuts, and everything from the first byte on that this file cannot interpret.
 */
import type { Duplex } from 'node:stream'

const TEXT = 0x81
const FIN = 0x80
const OPCODE = 0x0f
const MASKED = 0x80
const CLOSE = 8
/** First bytes of frames that need no extension: fragments, text, binary, close, ping, pong. */
const KNOWN = new Set([0x00, 0x01, 0x02, 0x80, 0x81, 0x82, 0x88, 0x89, 0x8a])
const HEADER_BYTES_MAX = 10
const TWO_POW_32 = 2 ** 32

/** `frames`: interpreted. `ws`: ws gets everything. `closed`: what follows a close is nothing. */
type Phase = 'frames' | 'ws' | 'closed'

/**
 * Call it when ws reports the socket open. `onText` gets each text frame of at most `bytes_max`
 * that a read holds whole; ws emits the other messages. The frame is part of the read. `is_first`:
 * the first of its read; those after it arrived at the same time.
 */
export function takePlainFrames(
  socket: Duplex,
  bytes_max: number,
  onText: (frame: Buffer, is_first: boolean) => void,
): void {
  const [toWs] = socket.listeners('data') as ((chunk: Buffer) => void)[]
  if (toWs === undefined) return
  let phase: Phase = 'frames'
  /** Bytes of the current frame that ws does not have yet. */
  let left_bytes = 0
  /** The begun header of the current frame, which ws has. */
  let begun = Buffer.alloc(0)
  let is_fragmented = false
  let is_first = true

  const give = (chunk: Buffer, from: number, to: number): number => {
    if (to > from) toWs.call(socket, chunk.subarray(from, to))
    return to
  }
  /** Follows a frame that ws gets. */
  const note = ([first = 0, short = 0]: Uint8Array, frame_bytes: number): void => {
    const opcode = first & OPCODE
    left_bytes = frame_bytes
    if (frame_bytes - headerBytes(short) > bytes_max) phase = 'ws'
    else if (opcode === CLOSE) phase = 'closed'
    else if (opcode < CLOSE) is_fragmented = (first & FIN) === 0
  }
  const isUnknown = (bytes: Buffer, at: number): boolean =>
    !KNOWN.has(bytes[at]!) || (bytes[at + 1]! & MASKED) !== 0

  /** Goes on with the frame whose header an earlier read began. Returns the offset after it. */
  const resume = (chunk: Buffer): number => {
    const bytes = Buffer.concat([begun, chunk.subarray(0, HEADER_BYTES_MAX)])
    if (bytes.length >= 2 && isUnknown(bytes, 0)) {
      phase = 'ws'
      return 0
    }
    const frame_bytes = frameBytes(bytes, 0)
    if (frame_bytes === undefined) {
      begun = bytes
      return give(chunk, 0, chunk.length)
    }
    note(bytes, frame_bytes)
    left_bytes -= begun.length
    begun = begun.subarray(0, 0)
    return 0
  }
  /** Takes frames from `at` on, up to the first that ws must get. Returns its offset. */
  const takeWhole = (chunk: Buffer, at: number): number => {
    if (is_fragmented) return at
    while (at + 2 <= chunk.length && chunk[at] === TEXT) {
      const short = chunk[at + 1]!
      const payload_at = at + headerBytes(short)
      if (short > 126 || payload_at > chunk.length) break
      const payload_bytes = short === 126 ? (chunk[at + 2]! << 8) | chunk[at + 3]! : short
      const end = payload_at + payload_bytes
      if (end > chunk.length || payload_bytes > bytes_max) break
      onText(chunk.subarray(payload_at, end), is_first)
      is_first = false
      at = end
    }
    return at
  }
  const take = (chunk: Buffer): void => {
    is_first = true
    let at = begun.length > 0 ? resume(chunk) : 0
    while (at < chunk.length && phase !== 'ws' && !socket.destroyed) {
      if (left_bytes > 0) {
        const to = Math.min(chunk.length, at + left_bytes)
        left_bytes -= to - at
        at = give(chunk, at, to)
        continue
      }
      if (phase === 'closed') return
      at = takeWhole(chunk, at)
      if (at === chunk.length) return
      if (at + 2 <= chunk.length && isUnknown(chunk, at)) phase = 'ws'
      else {
        const frame_bytes = frameBytes(chunk, at)
        if (frame_bytes === undefined) {
          begun = Buffer.from(chunk.subarray(at))
          at = give(chunk, at, chunk.length)
        } else {
          note(chunk.subarray(at, at + 2), frame_bytes)
        }
      }
    }
    if (phase === 'ws' && !socket.destroyed) give(chunk, at, chunk.length)
  }
  socket.off('data', toWs)
  socket.on('data', take)
}

/** Of an unmasked frame, by the second byte of its header. */
function headerBytes(short: number): number {
  return short === 126 ? 4 : short === 127 ? HEADER_BYTES_MAX : 2
}

/** Bytes of the unmasked frame that begins at `at`; undefined if its header is not whole. */
function frameBytes(bytes: Buffer, at: number): number | undefined {
  if (at + 2 > bytes.length) return undefined
  const short = bytes[at + 1]!
  const header_bytes = headerBytes(short)
  if (at + header_bytes > bytes.length) return undefined
  if (short === 126) return header_bytes + bytes.readUInt16BE(at + 2)
  if (short < 126) return header_bytes + short
  return header_bytes + bytes.readUInt32BE(at + 2) * TWO_POW_32 + bytes.readUInt32BE(at + 6)
}
