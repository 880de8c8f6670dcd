/**
 * A .npz file with one array of records, as numpy.savez_compressed writes it: a zip archive with
 * one deflated .npy file. The number of records is known only at the end, so they go to a file of
 * their own first. Zip64 throughout, because a day can exceed 4 GiB; no times, so equal records
 * give equal bytes.
 */
import { createReadStream } from 'node:fs'
import { open, rm } from 'node:fs/promises'
import { constants, createDeflateRaw, crc32 } from 'node:zlib'

export interface NpzFile {
  /** Whole records. */
  write(records: Uint8Array): Promise<void>
  finish(): Promise<void>
  /** Call after finish(), or to abandon the file. */
  close(): Promise<void>
}

export interface RecordType {
  readonly name: string
  /** Bytes of a record. */
  readonly bytes: number
  /** Name and type of each field, such as ['px', '<f8']. */
  readonly fields: readonly (readonly [string, string])[]
}

const LEVEL = 3
const MAX_32 = 0xff_ff_ff_ff
const ZIP64_VERSION = 45
const DEFLATED = 8
/** 1980-01-01, the first day of a zip archive. */
const NO_DATE = 0x21

export async function createNpz(path: string, type: RecordType): Promise<NpzFile> {
  const raw_path = `${path}.raw`
  const raw = await open(raw_path, 'w')
  let byte_count = 0
  return {
    async write(records) {
      await raw.writeFile(records)
      byte_count += records.length
    },
    async finish() {
      await raw.sync()
      await writeZip(path, raw_path, headerOf(type, byte_count / type.bytes), byte_count, type.name)
    },
    async close() {
      await raw.close()
      await rm(raw_path, { force: true })
    },
  }
}

/** Magic, version 1.0, length, and a Python dictionary padded to a multiple of 64 bytes. */
function headerOf({ fields }: RecordType, record_count: number): Buffer {
  const descr = fields.map(([name, type]) => `('${name}', '${type}')`).join(', ')
  const text = `{'descr': [${descr}], 'fortran_order': False, 'shape': (${record_count},), }`
  const length = Math.ceil((10 + text.length + 1) / 64) * 64 - 10
  const head = Buffer.from([0x93, 0x4e, 0x55, 0x4d, 0x50, 0x59, 1, 0, length & 255, length >> 8])
  return Buffer.concat([head, Buffer.from(`${text.padEnd(length - 1)}\n`, 'latin1')])
}

async function writeZip(
  path: string,
  raw_path: string,
  header: Buffer,
  raw_bytes: number,
  array: string,
): Promise<void> {
  const name = Buffer.from(`${array}.npy`)
  const file = await open(path, 'w')
  try {
    const size = header.length + raw_bytes
    // The sizes and the checksum follow once they are known.
    const local_bytes = localHeader(name, 0, 0, 0).length
    await file.write(Buffer.alloc(local_bytes), 0, local_bytes, 0)
    const deflate = createDeflateRaw({ level: LEVEL, strategy: constants.Z_DEFAULT_STRATEGY })
    let crc = crc32(header)
    const fed = (async () => {
      deflate.write(header)
      for await (const chunk of createReadStream(raw_path, { highWaterMark: 1 << 20 })) {
        crc = crc32(chunk as Buffer, crc)
        if (!deflate.write(chunk)) await new Promise((drained) => deflate.once('drain', drained))
      }
      deflate.end()
    })()
    let at = local_bytes
    for await (const chunk of deflate) {
      const bytes = chunk as Buffer
      await file.write(bytes, 0, bytes.length, at)
      at += bytes.length
    }
    await fed
    const packed = at - local_bytes
    await file.write(localHeader(name, crc, packed, size), 0, local_bytes, 0)
    const tail = centralDirectory(name, crc, packed, size, at)
    await file.write(tail, 0, tail.length, at)
  } finally {
    await file.close()
  }
}

function localHeader(name: Buffer, crc: number, packed: number, size: number): Buffer {
  const head = Buffer.alloc(30)
  head.writeUInt32LE(0x04_03_4b_50, 0)
  head.writeUInt16LE(ZIP64_VERSION, 4)
  head.writeUInt16LE(DEFLATED, 8)
  head.writeUInt16LE(NO_DATE, 12)
  head.writeUInt32LE(crc, 14)
  head.writeUInt32LE(MAX_32, 18)
  head.writeUInt32LE(MAX_32, 22)
  head.writeUInt16LE(name.length, 26)
  const extra = zip64Sizes(size, packed)
  head.writeUInt16LE(extra.length, 28)
  return Buffer.concat([head, name, extra])
}

function zip64Sizes(size: number, packed: number): Buffer {
  const extra = Buffer.alloc(20)
  extra.writeUInt16LE(1, 0)
  extra.writeUInt16LE(16, 2)
  extra.writeBigUInt64LE(BigInt(size), 4)
  extra.writeBigUInt64LE(BigInt(packed), 12)
  return extra
}

/** The entry, and the two ends of the directory: zip64's and the old one. */
function centralDirectory(
  name: Buffer,
  crc: number,
  packed: number,
  size: number,
  offset: number,
): Buffer {
  const extra = zip64Sizes(size, packed)
  const entry = Buffer.alloc(46)
  entry.writeUInt32LE(0x02_01_4b_50, 0)
  entry.writeUInt16LE(ZIP64_VERSION, 4)
  entry.writeUInt16LE(ZIP64_VERSION, 6)
  entry.writeUInt16LE(DEFLATED, 10)
  entry.writeUInt16LE(NO_DATE, 14)
  entry.writeUInt32LE(crc, 16)
  entry.writeUInt32LE(MAX_32, 20)
  entry.writeUInt32LE(MAX_32, 24)
  entry.writeUInt16LE(name.length, 28)
  entry.writeUInt16LE(extra.length, 30)
  const directory = Buffer.concat([entry, name, extra])
  const end64 = Buffer.alloc(56)
  end64.writeUInt32LE(0x06_06_4b_50, 0)
  end64.writeBigUInt64LE(44n, 4)
  end64.writeUInt16LE(ZIP64_VERSION, 12)
  end64.writeUInt16LE(ZIP64_VERSION, 14)
  end64.writeBigUInt64LE(1n, 24)
  end64.writeBigUInt64LE(1n, 32)
  end64.writeBigUInt64LE(BigInt(directory.length), 40)
  end64.writeBigUInt64LE(BigInt(offset), 48)
  const locator = Buffer.alloc(20)
  locator.writeUInt32LE(0x07_06_4b_50, 0)
  locator.writeBigUInt64LE(BigInt(offset + directory.length), 8)
  locator.writeUInt32LE(1, 16)
  const end = Buffer.alloc(22)
  end.writeUInt32LE(0x06_05_4b_50, 0)
  end.writeUInt16LE(1, 8)
  end.writeUInt16LE(1, 10)
  end.writeUInt32LE(directory.length, 12)
  end.writeUInt32LE(MAX_32, 16)
  return Buffer.concat([directory, end64, locator, end])
}
