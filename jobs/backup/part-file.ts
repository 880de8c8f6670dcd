/**
 * A part of a backup as an object of the store: COPY output, compressed with zstd, and sealed if
 * the backup is encrypted. It is written to a local file first, so that its length is known, and
 * read back as a stream.
 */
import { createHash } from 'node:crypto'
import { createWriteStream } from 'node:fs'
import { Readable } from 'node:stream'
import { pipeline } from 'node:stream/promises'
import { createZstdCompress, createZstdDecompress } from 'node:zlib'
import { OperatorError } from '#core/errors.ts'
import type { ObjectStore } from '#core/node/object-store.ts'
import type { Digest } from '../columns/digest.ts'
import type { BackupPart } from './manifest.ts'
import { seal, unseal } from './seal.ts'

/** `key`: undefined for a backup that is not encrypted. Returns the size and hash of the file. */
export async function writePartFile(
  path: string,
  source: AsyncIterable<Buffer>,
  key: Buffer | undefined,
): Promise<Digest> {
  const hash = createHash('sha256')
  let bytes = 0
  await pipeline(
    source,
    createZstdCompress(),
    (stream: AsyncIterable<Buffer>) => (key === undefined ? stream : seal(stream, key)),
    async function* (stream: AsyncIterable<Buffer>) {
      for await (const chunk of stream) {
        hash.update(chunk)
        bytes += chunk.length
        yield chunk
      }
    },
    createWriteStream(path),
  )
  return { bytes, sha256: hash.digest('hex') }
}

/** The COPY output. Throws `backup_damaged` at the latest at its end. */
export function readPart(
  store: ObjectStore,
  part: Pick<BackupPart, 'object_key' | 'byte_count' | 'sha256'>,
  key: Buffer | undefined,
): Readable {
  const { object_key } = part
  const stored = checked(store, part)
  const plain = key === undefined ? stored : unseal(stored, key, object_key)
  const source = Readable.from(plain, { objectMode: false })
  const decompress = createZstdDecompress()
  source.on('error', (error) => decompress.destroy(error))
  decompress.on('close', () => source.destroy())
  return source.pipe(decompress)
}

async function* checked(
  store: ObjectStore,
  { object_key, byte_count, sha256 }: Pick<BackupPart, 'object_key' | 'byte_count' | 'sha256'>,
): AsyncGenerator<Buffer> {
  const stream = await store.read(object_key)
  if (stream === undefined) throw damaged(object_key, 'the object store does not have it')
  const hash = createHash('sha256')
  let bytes = 0
  for await (const chunk of stream as AsyncIterable<Buffer>) {
    hash.update(chunk)
    bytes += chunk.length
    yield chunk
  }
  if (bytes !== byte_count) throw damaged(object_key, `it has ${bytes} bytes, not ${byte_count}`)
  if (hash.digest('hex') !== sha256) throw damaged(object_key, 'it has another sha256')
}

function damaged(object_key: string, why: string): OperatorError {
  return new OperatorError('backup_damaged', `${object_key} is damaged: ${why}.`, {
    hint: 'Restore another backup: `npx booktape backup ls`.',
  })
}
