/** The cache of an edge location, in the memory of this process; limited in bytes. */
import type { HttpCache } from '../cache/http-cache.ts'
import { maxAgeOf } from './max-age.ts'

interface Entry {
  readonly headers: Headers
  readonly body: ArrayBuffer
  readonly until_ms: number
}

const BYTES_MAX = 128 << 20
/** Memory of an entry besides its body. */
const ENTRY_BYTES = 1_000

export function createMemoryCache(now_ms: () => number): HttpCache {
  const entries = new Map<string, Entry>()
  let byte_count = 0
  const remove = (url: string): void => {
    const entry = entries.get(url)
    if (entry === undefined) return
    entries.delete(url)
    byte_count -= entry.body.byteLength + ENTRY_BYTES
  }
  return {
    async match(url) {
      const entry = entries.get(url)
      if (entry === undefined) return undefined
      if (entry.until_ms <= now_ms()) {
        remove(url)
        return undefined
      }
      return new Response(entry.body, { headers: entry.headers })
    },
    async put(url, response) {
      const { headers } = response
      const body = await response.arrayBuffer()
      const fresh_s = maxAgeOf(headers)
      remove(url)
      if (fresh_s === 0) return
      entries.set(url, { headers, body, until_ms: now_ms() + fresh_s * 1_000 })
      byte_count += body.byteLength + ENTRY_BYTES
      for (const oldest of entries.keys()) {
        if (byte_count <= BYTES_MAX) break
        remove(oldest)
      }
    },
  }
}
