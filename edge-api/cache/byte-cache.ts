/**
 * Caches bytes that never change in the edge location's cache (the Cache API). A name always has
 * the same content, so entries never expire; the cache may evict them.
 */
import { bodyOf } from '../memory/body-parts.ts'
import type { HttpCache } from './http-cache.ts'

export interface ByteCache {
  /** The cached bytes, or else those from `load`, which are then cached. */
  read(
    name: string,
    load: () => Promise<Uint8Array<ArrayBuffer> | undefined>,
  ): Promise<Uint8Array<ArrayBuffer> | undefined>
}

/** Caches nothing: for environments without a cache. */
export const no_byte_cache: ByteCache = { read: (_name, load) => load() }

/**
 * Enough for footers, and for columns of a few thousand rows. For larger pieces the time saved is
 * not worth the memory that storing them takes.
 */
const CACHED_BYTES_MAX = 512 << 10

/** No caller can request this host: `.invalid` never resolves. */
const ORIGIN = 'https://lake.invalid/'

export function createByteCache(cache: HttpCache): ByteCache {
  return {
    async read(name, load) {
      const url = ORIGIN + name
      const kept = await cache.match(url).catch(() => undefined)
      if (kept !== undefined) return new Uint8Array(await kept.arrayBuffer())
      const bytes = await load()
      if (bytes !== undefined && bytes.byteLength <= CACHED_BYTES_MAX) {
        const headers = { 'cache-control': 'public, max-age=31536000, immutable' }
        // If the cache is full or broken, reads are only slower.
        await cache.put(url, new Response(bodyOf(bytes), { headers })).catch(() => undefined)
      }
      return bytes
    },
  }
}
