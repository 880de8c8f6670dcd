/** A cache in memory with a limit in bytes and a lifetime. Evicts what was not used for longest. */
export interface SizedCache<Value> {
  readonly byte_count: number
  get(key: string): Value | undefined
  set(key: string, value: Value, byte_count: number): void
  clear(): void
}

export interface SizedCacheOptions {
  readonly bytes_max: number
  readonly lifetime_ms: number
  now(): number
}

interface Kept<Value> {
  readonly value: Value
  readonly bytes: number
  readonly until_ms: number
}

/** Of the entry and its key in the map. */
const ENTRY_BYTES = 200

export function createSizedCache<Value>(options: SizedCacheOptions): SizedCache<Value> {
  const { bytes_max, lifetime_ms, now } = options
  const entries = new Map<string, Kept<Value>>()
  let byte_count = 0
  const remove = (key: string): void => {
    const known = entries.get(key)
    if (known === undefined) return
    entries.delete(key)
    byte_count -= known.bytes
  }
  return {
    get byte_count() {
      return byte_count
    },
    get(key) {
      const known = entries.get(key)
      if (known === undefined) return undefined
      if (known.until_ms <= now()) {
        remove(key)
        return undefined
      }
      // The map's order is that of use.
      entries.delete(key)
      entries.set(key, known)
      return known.value
    },
    clear() {
      entries.clear()
      byte_count = 0
    },
    set(key, value, value_bytes) {
      remove(key)
      const bytes = value_bytes + ENTRY_BYTES
      if (bytes > bytes_max) return
      entries.set(key, { value, bytes, until_ms: now() + lifetime_ms })
      byte_count += bytes
      for (const oldest of entries.keys()) {
        if (byte_count <= bytes_max) break
        remove(oldest)
      }
    },
  }
}
