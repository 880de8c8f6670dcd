/**
 * Bytes of a tape: segment headers, record headers, checksums. Pure: no files, no clock.
 *
 * A segment is a file `<first position, 16 digits>.tape`: a header of 64 bytes, then records.
 * Positions count the bytes of records, not of headers: offset = 64 + position - first.
 *
 * segment header           record header
 *   0  magic, 8 bytes        0  u32 checksum of all that follows
 *   8  u32 format version    4  u32 payload length
 *  12  u32 payload limit     8  u64 ts_ingest, microseconds
 *  16  tape id, 16 bytes    16  u32 connection
 *  32  u64 first position   20  u16 exchange code
 *  40  u64 previous end     22  u8  kind
 *  48  u64 created, us      23  u8  0xb7, which makes the search for the next record fast
 *  56  u32 zero             24  payload
 *  60  u32 crc32 of 0..59
 *
 * All numbers are little-endian. A record's checksum is seeded with its position, so a record's
 * bytes at a wrong position do not count as a record. It is an XXH32; in format 1 it was a CRC-32.
 */
import { crc32 } from 'node:zlib'
import { xxh32 } from './checksum.ts'
import { RECORD_KINDS, type RecordKind } from './record.ts'

export const SEGMENT_HEADER_BYTES = 64
export const RECORD_HEADER_BYTES = 24
/** The limit of the format. The configured limit of a tape is lower. */
export const PAYLOAD_BYTES_LIMIT = 64 * 1024 * 1024

const MAGIC = Buffer.from('bktape\r\n', 'latin1')
const FORMAT_VERSION = 2
const KNOWN_VERSIONS = [1, FORMAT_VERSION]
const RECORD_SYNC = 0xb7
const CHECKSUM_BYTES = 4
const TWO_POW_32 = 2 ** 32

export interface SegmentHeader {
  /** Lower-case uuid, the same in every segment of a tape. */
  readonly tape_id: string
  readonly first: number
  /** Where the previous segment ended. Less than `first` after a crash: see recovery.ts. */
  readonly previous_end: number
  readonly created_us: number
  readonly record_bytes_max: number
}

export type HeaderVerdict =
  | { readonly kind: 'ok'; readonly header: SegmentHeader }
  | { readonly kind: 'broken' }
  /** Written by a build with another format. */
  | { readonly kind: 'foreign'; readonly version: number }

export function encodeSegmentHeader(header: SegmentHeader): Buffer {
  const bytes = Buffer.alloc(SEGMENT_HEADER_BYTES)
  MAGIC.copy(bytes)
  bytes.writeUInt32LE(FORMAT_VERSION, 8)
  bytes.writeUInt32LE(header.record_bytes_max, 12)
  bytes.write(header.tape_id.replaceAll('-', ''), 16, 'hex')
  bytes.writeBigUInt64LE(BigInt(header.first), 32)
  bytes.writeBigUInt64LE(BigInt(header.previous_end), 40)
  bytes.writeBigUInt64LE(BigInt(header.created_us), 48)
  bytes.writeUInt32LE(crc32(bytes.subarray(0, 60)), 60)
  return bytes
}

export function decodeSegmentHeader(bytes: Buffer): HeaderVerdict {
  if (
    bytes.length < SEGMENT_HEADER_BYTES ||
    !bytes.subarray(0, MAGIC.length).equals(MAGIC) ||
    crc32(bytes.subarray(0, 60)) !== bytes.readUInt32LE(60)
  ) {
    return { kind: 'broken' }
  }
  const version = bytes.readUInt32LE(8)
  if (!KNOWN_VERSIONS.includes(version)) return { kind: 'foreign', version }
  const hex = bytes.toString('hex', 16, 32)
  return {
    kind: 'ok',
    header: {
      tape_id: hex.replace(/^(.{8})(.{4})(.{4})(.{4})(.{12})$/, '$1-$2-$3-$4-$5'),
      record_bytes_max: bytes.readUInt32LE(12),
      first: Number(bytes.readBigUInt64LE(32)),
      previous_end: Number(bytes.readBigUInt64LE(40)),
      created_us: Number(bytes.readBigUInt64LE(48)),
    },
  }
}

const KIND_CODES: Readonly<Record<RecordKind, number>> = { frame: 1, rest: 2, mark: 3 }

export interface RecordHead {
  readonly kind: RecordKind
  readonly exchange_code: number
  readonly connection: number
  readonly ts_ingest: number
}

/** Writes a whole record at `offset`, where there must be room. Returns the offset after it. */
export function encodeRecord(
  bytes: Buffer,
  view: DataView,
  offset: number,
  position: number,
  head: RecordHead,
  payload: Uint8Array,
): number {
  const end = offset + RECORD_HEADER_BYTES + payload.length
  const high = Math.floor(head.ts_ingest / TWO_POW_32)
  view.setUint32(offset + 4, payload.length, true)
  view.setUint32(offset + 8, head.ts_ingest - high * TWO_POW_32, true)
  view.setUint32(offset + 12, high, true)
  view.setUint32(offset + 16, head.connection, true)
  view.setUint16(offset + 20, head.exchange_code, true)
  view.setUint8(offset + 22, KIND_CODES[head.kind])
  view.setUint8(offset + 23, RECORD_SYNC)
  bytes.set(payload, offset + RECORD_HEADER_BYTES)
  view.setUint32(offset, xxh32(view, offset + CHECKSUM_BYTES, end, seedOf(position)), true)
  return end
}

/**
 * Payload length of a possible record at `offset`, or -1 if it cannot be a record. Reads only the
 * header, which must be wholly in the buffer.
 */
export function plausibleLength(
  bytes: Buffer,
  view: DataView,
  offset: number,
  payload_max: number,
): number {
  if (bytes[offset + 23] !== RECORD_SYNC) return -1
  const kind = bytes[offset + 22]!
  if (kind === 0 || kind > RECORD_KINDS.length) return -1
  const length = view.getUint32(offset + 4, true)
  return length <= payload_max ? length : -1
}

/** First offset at or after `offset` with a sync byte in the right position, or -1. */
export function nextCandidate(bytes: Buffer, offset: number, limit: number): number {
  const found = bytes.indexOf(RECORD_SYNC, offset + 23)
  return found === -1 || found >= limit ? -1 : found - 23
}

/** True if the checksum of the record at [offset, end) matches its header, payload and position. */
export function isIntact(
  bytes: Buffer,
  view: DataView,
  offset: number,
  end: number,
  position: number,
): boolean {
  const stored = view.getUint32(offset, true)
  const from = offset + CHECKSUM_BYTES
  const seed = seedOf(position)
  // The segment's header may be damaged, so its format does not decide. Old records are rare.
  return (
    stored === xxh32(view, from, end, seed) ||
    stored === crc32(bytes.subarray(from, end), seed >>> 0)
  )
}

/** The header's fields of an intact record. */
export function decodeHead(bytes: Buffer, view: DataView, offset: number): RecordHead {
  return {
    kind: RECORD_KINDS[bytes[offset + 22]! - 1]!,
    exchange_code: view.getUint16(offset + 20, true),
    connection: view.getUint32(offset + 16, true),
    ts_ingest: view.getUint32(offset + 12, true) * TWO_POW_32 + view.getUint32(offset + 8, true),
  }
}

function seedOf(position: number): number {
  return position ^ Math.imul(Math.floor(position / TWO_POW_32), 0x9e3779b1)
}
