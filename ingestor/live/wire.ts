/** Messages as bytes. A message is encoded once, as a WebSocket frame, for all listeners. */
import type { StreamName } from './channels.ts'
import type { RecordPlace } from './message-index.ts'

export interface Message {
  readonly seq: number
  /** An unmasked text frame. Its payload is the JSON text. */
  readonly frame: Buffer
  /** The record from which it can be made again; undefined if the record alone is not enough. */
  readonly record?: RecordPlace | undefined
}

export function messageOf(seq: number, text: string, record?: RecordPlace): Message {
  return { seq, frame: frameOf(text), record }
}

/** The JSON text of a frame made by frameOf. */
export function payloadOf(frame: Buffer): Buffer {
  const short = frame[1]!
  return frame.subarray(short < LENGTH_16 ? 2 : short === LENGTH_16 ? 4 : 10)
}

const TEXT_FRAME = 0x81
/** Instead of a length: the length follows in 16 or 64 bits. */
const LENGTH_16 = 126
const LENGTH_64 = 127

/** RFC 6455, section 5.2: a final text frame without a mask, as servers send it. */
export function frameOf(text: string): Buffer {
  const length = Buffer.byteLength(text)
  const head_bytes = length < LENGTH_16 ? 2 : length < 65_536 ? 4 : 10
  const frame = Buffer.allocUnsafe(head_bytes + length)
  frame[0] = TEXT_FRAME
  if (head_bytes === 2) frame[1] = length
  else if (head_bytes === 4) {
    frame[1] = LENGTH_16
    frame.writeUInt16BE(length, 2)
  } else {
    frame[1] = LENGTH_64
    frame.writeBigUInt64BE(BigInt(length), 2)
  }
  frame.write(text, head_bytes)
  return frame
}

/** The first fields of every message about a stream, without the closing brace. */
export function headText(
  type: string,
  { channel, exchange, symbol, interval, bin }: StreamName,
  epoch: string,
  seq: number,
): string {
  const bars =
    interval === undefined ? '' : `"interval":"${interval}","bin":${JSON.stringify(bin)},`
  return (
    `{"type":"${type}","channel":"${channel}","exchange":"${exchange}",` +
    `"symbol":${JSON.stringify(symbol)},${bars}"epoch":"${epoch}","seq":${seq}`
  )
}
