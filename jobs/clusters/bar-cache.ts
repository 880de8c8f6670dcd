/** Final bars as JSON text: in memory, and behind it where other engines find them too. */
import type { SizedCache } from './sized-cache.ts'

/** A cache that several engines share. It never fails: what it cannot answer is missing. */
export interface SharedCache {
  getMany(keys: readonly string[]): Promise<readonly (string | undefined)[]>
  setMany(entries: readonly (readonly [key: string, text: string])[]): void
  close(): Promise<void>
}

export interface BarCacheCounts {
  memory_hits: number
  shared_hits: number
  misses: number
}

export interface BarCache {
  readonly counts: BarCacheCounts
  getMany(keys: readonly string[]): Promise<readonly (string | undefined)[]>
  setMany(entries: readonly (readonly [key: string, text: string])[]): void
}

export function createBarCache(
  memory: SizedCache<string>,
  shared: SharedCache | undefined,
): BarCache {
  const counts: BarCacheCounts = { memory_hits: 0, shared_hits: 0, misses: 0 }
  const keep = (key: string, text: string): void => memory.set(key, text, 2 * text.length)
  return {
    counts,
    async getMany(keys) {
      const found = keys.map((key) => memory.get(key))
      const missing = keys.filter((_, i) => found[i] === undefined)
      counts.memory_hits += keys.length - missing.length
      if (missing.length === 0) return found
      const answers = (await shared?.getMany(missing)) ?? []
      const known = new Map<string, string>()
      for (const [i, key] of missing.entries()) {
        const text = answers[i]
        if (text === undefined) continue
        known.set(key, text)
        keep(key, text)
      }
      counts.shared_hits += known.size
      counts.misses += missing.length - known.size
      return found.map((text, i) => text ?? known.get(keys[i]!))
    },
    setMany(entries) {
      for (const [key, text] of entries) keep(key, text)
      shared?.setMany(entries)
    },
  }
}
