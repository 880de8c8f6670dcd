/**
 * Bytes that never change, kept in the cache of the place where the worker runs (the Cache API):
 * for as long as it likes, since a name stands for one content for ever.
 */
import { bodyOf } from '../memory/body-parts.ts'
import type { HttpCache } from './http-cache.ts'

export interface ByteCache {
  /** What is kept under the name, or else what `load` gives, which is then kept. */
  read(
    name: string,
    load: () => Promise<Uint8Array<ArrayBuffer> | undefined>,
  ): Promise<Uint8Array<ArrayBuffer> | undefined>
}

/** Keeps nothing: for places without a cache. */
export const no_byte_cache: ByteCache = { read: (_name, load) => load() }

/**
 * Footers, and columns of a few thousand rows. Larger pieces cost the worker more memory to put
 * there than the store costs time.
 */
const KEPT_BYTES_MAX = 512 << 10

/** Nobody can ask for this host: `.invalid` resolves nowhere. */
const ORIGIN = 'https://lake.invalid/'

export function createByteCache(cache: HttpCache): ByteCache {
  return {
    async read(name, load) {
      const url = ORIGIN + name
      const kept = await cache.match(url).catch(() => undefined)
      if (kept !== undefined) return new Uint8Array(await kept.arrayBuffer())
      const bytes = await load()
      if (bytes !== undefined && bytes.byteLength <= KEPT_BYTES_MAX) {
        const headers = { 'cache-control': 'public, max-age=31536000, immutable' }
        // A cache that is full or broken only makes reads slower.
        await cache.put(url, new Response(bodyOf(bytes), { headers })).catch(() => undefined)
      }
      return bytes
    },
  }
}
