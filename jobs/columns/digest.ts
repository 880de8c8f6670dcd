/** Size and sha256 of a stream that does not fit into memory. */
import { createHash } from 'node:crypto'

export interface Digest {
  readonly bytes: number
  readonly sha256: string
}

export async function digestOf(stream: AsyncIterable<Uint8Array>): Promise<Digest> {
  const hash = createHash('sha256')
  let bytes = 0
  for await (const chunk of stream) {
    hash.update(chunk)
    bytes += chunk.byteLength
  }
  return { bytes, sha256: hash.digest('hex') }
}
