/**
 * Caches the strings of names that repeat in every frame (symbols, streams): a bounded
 * direct-mapped cache from bytes to string that evicts on collision. Saves time and changes no
 * result.
 */

const NAME_BYTES_MAX = 64

export type Interner = (bytes: Buffer, start: number, end: number) => string | undefined

interface Entry {
  readonly bytes: Buffer
  readonly text: string
}

/** `decode` makes the string of new bytes. Undefined is returned and not cached. */
export function createInterner(decode: Interner, slot_count = 4_096): Interner {
  const entries: (Entry | undefined)[] = Array.from({ length: slot_count }, () => undefined)
  return (bytes, start, end) => {
    let hash = 0x811c9dc5
    for (let at = start; at < end; at++) hash = Math.imul(hash ^ bytes[at]!, 0x01000193)
    const slot = (hash >>> 0) % slot_count
    const entry = entries[slot]
    if (entry !== undefined && isSame(entry.bytes, bytes, start, end)) return entry.text
    const text = decode(bytes, start, end)
    if (text !== undefined && end - start <= NAME_BYTES_MAX) {
      entries[slot] = { bytes: Buffer.from(bytes.subarray(start, end)), text }
    }
    return text
  }
}

function isSame(known: Buffer, bytes: Buffer, start: number, end: number): boolean {
  if (known.length !== end - start) return false
  for (let at = 0; at < known.length; at++) if (known[at] !== bytes[start + at]) return false
  return true
}
