/**
 * Encrypts a stream in chunks of AES-256-GCM, so that a file of any size needs little memory and
 * nothing is passed on before it was authenticated. The nonce of a chunk is its number and whether
 * it is the last one: chunks that are changed, moved, repeated or cut off are errors. A key must
 * be used for one stream only (secret.ts derives one per object).
 */
import { createCipheriv, createDecipheriv } from 'node:crypto'
import { OperatorError } from '#core/errors.ts'

const CHUNK_BYTES = 64 * 1024
const TAG_BYTES = 16
const NONCE_BYTES = 12
const SEALED_BYTES = CHUNK_BYTES + TAG_BYTES

export async function* seal(
  plain: AsyncIterable<Buffer>,
  key: Buffer,
): AsyncGenerator<Buffer, void, undefined> {
  for await (const { bytes, nonce } of chunksOf(plain, CHUNK_BYTES)) {
    const cipher = createCipheriv('aes-256-gcm', key, nonce)
    yield Buffer.concat([cipher.update(bytes), cipher.final(), cipher.getAuthTag()])
  }
}

/** Throws `backup_damaged`. The key is known to be right: see secret.ts. */
export async function* unseal(
  sealed: AsyncIterable<Buffer>,
  key: Buffer,
  name: string,
): AsyncGenerator<Buffer, void, undefined> {
  for await (const { bytes, nonce } of chunksOf(sealed, SEALED_BYTES)) {
    if (bytes.length < TAG_BYTES) throw damaged(name)
    const end = bytes.length - TAG_BYTES
    const decipher = createDecipheriv('aes-256-gcm', key, nonce)
    decipher.setAuthTag(bytes.subarray(end))
    let plain: Buffer
    try {
      plain = Buffer.concat([decipher.update(bytes.subarray(0, end)), decipher.final()])
    } catch (cause) {
      throw damaged(name, cause)
    }
    if (plain.length > 0) yield plain
  }
}

interface Chunk {
  readonly bytes: Buffer
  readonly nonce: Buffer
}

/** Chunks of `size` bytes; the last one may be shorter or empty, and there is always one. */
async function* chunksOf(stream: AsyncIterable<Buffer>, size: number): AsyncGenerator<Chunk> {
  let number = 0
  const chunkOf = (bytes: Buffer, is_last: boolean): Chunk => {
    const nonce = Buffer.alloc(NONCE_BYTES)
    nonce.writeUIntBE(number++, 5, 6)
    nonce[NONCE_BYTES - 1] = is_last ? 1 : 0
    return { bytes, nonce }
  }
  let waiting: Buffer[] = []
  let waiting_bytes = 0
  for await (const piece of stream) {
    waiting.push(piece)
    waiting_bytes += piece.length
    if (waiting_bytes <= size) continue
    let rest: Buffer = Buffer.concat(waiting)
    // More than a chunk is there, so none of these is the last one.
    while (rest.length > size) {
      yield chunkOf(rest.subarray(0, size), false)
      rest = rest.subarray(size)
    }
    waiting = [rest]
    waiting_bytes = rest.length
  }
  yield chunkOf(Buffer.concat(waiting), true)
}

function damaged(name: string, cause?: unknown): OperatorError {
  return new OperatorError(
    'backup_damaged',
    `${name} is damaged: it is not what was written there, or its end is missing.`,
    { hint: 'Restore another backup: `npx booktape backup ls`.', cause },
  )
}
