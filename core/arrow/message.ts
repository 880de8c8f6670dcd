/** Arrow IPC messages with their bodies, for streams and files. */
import {
  type Batch,
  type BodyBuffer,
  dictionaryMessage,
  type FieldNode,
  recordBatchMessage,
} from './metadata.ts'

/** Compresses a buffer with zstd. Without this function, buffers stay uncompressed. */
export type Compress = (bytes: Uint8Array) => Uint8Array

/** Columns of a batch: nodes and buffers in Arrow's order. */
export interface BatchColumns {
  readonly row_count: number
  readonly nodes: readonly FieldNode[]
  readonly buffers: readonly Uint8Array[]
}

export interface FramedMessage {
  /** Consecutive parts, each to be padded to 8 bytes. */
  readonly parts: readonly Uint8Array[]
  /** Size of the message before the body. */
  readonly metadata_bytes: number
  readonly body_bytes: number
}

export const NO_BYTES = new Uint8Array(0)
/** Ends a stream, or the messages of a file. */
export const END_OF_STREAM = Uint8Array.of(255, 255, 255, 255, 0, 0, 0, 0)

const CONTINUATION = -1
/** In place of a length: the following bytes are not compressed. */
const NOT_COMPRESSED = -1n
const LENGTH_BYTES = 8

export function recordBatch(columns: BatchColumns, compress?: Compress): FramedMessage {
  const { batch, body } = layOut(columns, compress)
  return framed(recordBatchMessage(batch), body, batch.body_byte_count)
}

export function dictionaryBatch(
  id: number,
  words: readonly string[],
  compress?: Compress,
): FramedMessage {
  const columns = {
    row_count: words.length,
    nodes: [{ length: words.length, null_count: 0 }],
    buffers: [NO_BYTES, ...textBuffers(words)],
  }
  const { batch, body } = layOut(columns, compress)
  return framed(dictionaryMessage(id, batch), body, batch.body_byte_count)
}

/** A message: the length prefix, the metadata, the body. */
export function framed(
  metadata: Uint8Array,
  body: readonly Uint8Array[] = [],
  body_bytes = 0,
): FramedMessage {
  const head = bytesOf(Int32Array.of(CONTINUATION, metadata.byteLength))
  const metadata_bytes = head.byteLength + metadata.byteLength
  return { parts: [head, metadata, ...body], metadata_bytes, body_bytes }
}

/** Every part starts at a multiple of 8. */
export function joinParts(parts: readonly Uint8Array[]): Uint8Array<ArrayBuffer> {
  const joined = new Uint8Array(parts.reduce((sum, part) => sum + padded(part.byteLength), 0))
  let at = 0
  for (const part of parts) {
    joined.set(part, at)
    at += padded(part.byteLength)
  }
  return joined
}

export function bytesOf({ buffer, byteOffset, byteLength }: ArrayBufferView): Uint8Array {
  return new Uint8Array(buffer, byteOffset, byteLength)
}

/** Offsets and bytes of a column of text; a null has no bytes. */
export function textBuffers(texts: readonly (string | null)[]): readonly [Uint8Array, Uint8Array] {
  const encoder = new TextEncoder()
  const parts = texts.map((text) => (text === null ? NO_BYTES : encoder.encode(text)))
  const offsets = offsetsOf(parts.map(({ byteLength }) => byteLength))
  const bytes = new Uint8Array(offsets.at(-1)!)
  for (const [i, part] of parts.entries()) bytes.set(part, offsets[i]!)
  return [bytesOf(offsets), bytes]
}

/** The start of each item, and the end of the last. */
export function offsetsOf(lengths: readonly number[]): Int32Array {
  const offsets = new Int32Array(lengths.length + 1)
  for (const [i, length] of lengths.entries()) offsets[i + 1] = offsets[i]! + length
  return offsets
}

function layOut(
  { row_count, nodes, buffers: raw }: BatchColumns,
  compress: Compress | undefined,
): { readonly batch: Batch; readonly body: readonly Uint8Array[] } {
  const body = compress === undefined ? raw : raw.map((bytes) => compressed(bytes, compress))
  const buffers: BodyBuffer[] = []
  let end = 0
  for (const { byteLength: byte_count } of body) {
    // apache-arrow does not align empty compressed buffers; doing the same keeps files identical.
    const offset = byte_count === 0 && compress !== undefined ? end : padded(end)
    buffers.push({ offset, byte_count })
    end = offset + byte_count
  }
  const is_compressed = compress !== undefined
  return { batch: { row_count, nodes, buffers, body_byte_count: padded(end), is_compressed }, body }
}

/** The uncompressed length, then the compressed or the raw bytes, whichever are fewer. */
function compressed(bytes: Uint8Array, compress: Compress): Uint8Array {
  if (bytes.byteLength === 0) return NO_BYTES
  const smaller = compress(bytes)
  const is_smaller = smaller.byteLength < bytes.byteLength
  const taken = is_smaller ? smaller : bytes
  const joined = new Uint8Array(LENGTH_BYTES + taken.byteLength)
  const length = is_smaller ? BigInt(bytes.byteLength) : NOT_COMPRESSED
  new DataView(joined.buffer).setBigInt64(0, length, true)
  joined.set(taken, LENGTH_BYTES)
  return joined
}

function padded(byte_count: number): number {
  return Math.ceil(byte_count / 8) * 8
}
