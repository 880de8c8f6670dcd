/** Writes zip files, as Binance's archive has them and as it might have them some day. */
import { createHash } from 'node:crypto'
import { mkdir, writeFile } from 'node:fs/promises'
import { dirname, join } from 'node:path'
import { crc32, deflateRawSync } from 'node:zlib'

export interface ZipEntry {
  readonly name: string
  readonly content: Uint8Array
  /** Not compressed. */
  readonly is_stored?: boolean
  /** Sizes and CRC-32 follow the content, as of a writer that could not seek. */
  readonly has_descriptor?: boolean
  /** Sizes of 64 bits, whatever the size. */
  readonly is_zip64?: boolean
}

const DESCRIPTOR_FLAG = 8
const DEFLATE = 8
const MAX_32 = 0xffff_ffff
const MAX_16 = 0xffff

/** One entry, compressed. */
export function zipOf(name: string, text: string): Buffer {
  return zipFile([{ name, content: Buffer.from(text) }])
}

export function zipFile(entries: readonly ZipEntry[]): Buffer {
  const parts: Buffer[] = []
  const central: Buffer[] = []
  let at = 0
  for (const entry of entries) {
    const { local, listed } = entryBytes(entry, at)
    parts.push(local)
    central.push(listed)
    at += local.length
  }
  const listed = Buffer.concat(central)
  const is_zip64 = entries.some((entry) => entry.is_zip64)
  return Buffer.concat([...parts, listed, endOf(entries.length, listed.length, at, is_zip64)])
}

function entryBytes(
  { name, content, is_stored = false, has_descriptor = false, is_zip64 = false }: ZipEntry,
  at: number,
): { readonly local: Buffer; readonly listed: Buffer } {
  const packed = is_stored ? Buffer.from(content) : deflateRawSync(content)
  const sum = crc32(content)
  const facts = (known: boolean, extra_bytes: number): Buffer => {
    const bytes = Buffer.alloc(26)
    bytes.writeUInt16LE(is_zip64 ? 45 : 20, 0)
    bytes.writeUInt16LE(has_descriptor ? DESCRIPTOR_FLAG : 0, 2)
    bytes.writeUInt16LE(is_stored ? 0 : DEFLATE, 4)
    bytes.writeUInt32LE(known ? sum : 0, 10)
    bytes.writeUInt32LE(is_zip64 ? MAX_32 : known ? packed.length : 0, 14)
    bytes.writeUInt32LE(is_zip64 ? MAX_32 : known ? content.length : 0, 18)
    bytes.writeUInt16LE(Buffer.byteLength(name), 22)
    bytes.writeUInt16LE(extra_bytes, 24)
    return bytes
  }
  const sizes = is_zip64 ? sizesOf(content.length, packed.length) : Buffer.alloc(0)
  const descriptor = Buffer.alloc(has_descriptor ? 16 : 0)
  if (has_descriptor) {
    descriptor.write('PK\u0007\u0008')
    descriptor.writeUInt32LE(sum, 4)
    descriptor.writeUInt32LE(packed.length, 8)
    descriptor.writeUInt32LE(content.length, 12)
  }
  const local = Buffer.concat([
    Buffer.from('PK\u0003\u0004'),
    facts(!has_descriptor, sizes.length),
    Buffer.from(name),
    sizes,
    packed,
    descriptor,
  ])
  const place = Buffer.alloc(14)
  place.writeUInt32LE(at, 10)
  const listed = Buffer.concat([
    Buffer.from('PK\u0001\u0002'),
    Buffer.from([20, 0]),
    facts(true, sizes.length),
    place,
    Buffer.from(name),
    sizes,
  ])
  return { local, listed }
}

/** The extra field of sizes that are not in the header. */
function sizesOf(content_bytes: number, packed_bytes: number): Buffer {
  const bytes = Buffer.alloc(20)
  bytes.writeUInt16LE(1, 0)
  bytes.writeUInt16LE(16, 2)
  bytes.writeBigUInt64LE(BigInt(content_bytes), 4)
  bytes.writeBigUInt64LE(BigInt(packed_bytes), 12)
  return bytes
}

function endOf(count: number, listed_bytes: number, at: number, is_zip64: boolean): Buffer {
  const end = Buffer.alloc(22)
  end.write('PK\u0005\u0006')
  for (const place of [8, 10]) end.writeUInt16LE(is_zip64 ? MAX_16 : count, place)
  end.writeUInt32LE(is_zip64 ? MAX_32 : listed_bytes, 12)
  end.writeUInt32LE(is_zip64 ? MAX_32 : at, 16)
  if (!is_zip64) return end
  const record = Buffer.alloc(56)
  record.write('PK\u0006\u0006')
  record.writeBigUInt64LE(44n, 4)
  record.writeUInt16LE(45, 12)
  record.writeUInt16LE(45, 14)
  for (const place of [24, 32]) record.writeBigUInt64LE(BigInt(count), place)
  record.writeBigUInt64LE(BigInt(listed_bytes), 40)
  record.writeBigUInt64LE(BigInt(at), 48)
  const locator = Buffer.alloc(20)
  locator.write('PK\u0006\u0007')
  locator.writeBigUInt64LE(BigInt(at + listed_bytes), 8)
  locator.writeUInt32LE(1, 16)
  return Buffer.concat([record, locator, end])
}

/** Puts the file and its CHECKSUM where the archive has them, below `folder`. */
export async function putFile(
  folder: string,
  path: string,
  bytes: Uint8Array,
  sum = createHash('sha256').update(bytes).digest('hex'),
): Promise<void> {
  const place = join(folder, path)
  await mkdir(dirname(place), { recursive: true })
  await writeFile(place, bytes)
  await writeFile(`${place}.CHECKSUM`, `${sum}  ${path.split('/').at(-1)}\n`)
}
