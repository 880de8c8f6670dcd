/**
 * A worker for tests that decompresses pages with the edge's decompressors. The body is some data,
 * followed by pages whose contents are the data's first bytes. The answer lists the sizes that
 * failed.
 */
import { decompressors } from '../../../edge-api/lake/decompressors.ts'

interface PageList {
  readonly codec: 'ZSTD' | 'GZIP' | 'SNAPPY'
  readonly data_bytes: number
  /** Decompressed size, size in the header, and bytes in the body. */
  readonly pages: readonly (readonly [holds: number, says: number, packed: number])[]
}

export default {
  async fetch(request: Request): Promise<Response> {
    const list = JSON.parse(request.headers.get('x-pages')!) as PageList
    const body = new Uint8Array(await request.arrayBuffer())
    const data = body.subarray(0, list.data_bytes)
    let at = list.data_bytes
    const refused: number[] = []
    const wrong: number[] = []
    for (const [holds, says, packed] of list.pages) {
      const bytes = body.subarray(at, at + packed)
      at += packed
      try {
        const page = decompressors[list.codec]!(bytes, says)
        if (!isPrefix(page, data, holds)) wrong.push(holds)
      } catch {
        refused.push(holds)
      }
    }
    return Response.json({ refused, wrong })
  },
}

function isPrefix(page: Uint8Array, data: Uint8Array, length: number): boolean {
  if (page.byteLength !== length) return false
  for (let i = 0; i < length; i++) if (page[i] !== data[i]) return false
  return true
}
