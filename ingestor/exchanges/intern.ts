/**
 * Caches the strings of names that repeat in every frame (symbols, streams): a bounded
 * direct-mapped cache from bytes to string that evicts on collision. Saves time and changes no
 * result.
 */

const NAME_BYTES_MAX = 64
/** A power of two. */
const SLOT_COUNT = 4_096

export type Interner = (bytes: Buffer, start: number, end: number) => string | undefined

/** `decode` makes the string of new bytes. Undefined is returned and not cached. */
export function createInterner(decode: Interner): Interner {
  const texts: string[] = Array.from({ length: SLOT_COUNT }, () => '')
  /** The bytes of each slot's name, one after another; a length of 0 is an empty slot. */
  const lengths = new Uint8Array(SLOT_COUNT)
  const names = new Uint8Array(SLOT_COUNT * NAME_BYTES_MAX)
  const isKnown = (slot: number, bytes: Buffer, start: number, length: number): boolean => {
    if (lengths[slot] !== length) return false
    const known = slot * NAME_BYTES_MAX
    for (let at = 0; at < length; at++) {
      if (names[known + at] !== bytes[start + at]) return false
    }
    return true
  }
  return (bytes, start, end) => {
    const length = end - start
    if (length === 0 || length > NAME_BYTES_MAX) return decode(bytes, start, end)
    let hash = 0x811c9dc5
    for (let at = start; at < end; at++) hash = Math.imul(hash ^ bytes[at]!, 0x01000193)
    // The low bits of this hash alone spread badly.
    const slot = (hash ^ (hash >>> 15)) & (SLOT_COUNT - 1)
    if (isKnown(slot, bytes, start, length)) return texts[slot]
    const text = decode(bytes, start, end)
    if (text === undefined) return undefined
    texts[slot] = text
    lengths[slot] = length
    names.set(bytes.subarray(start, end), slot * NAME_BYTES_MAX)
    return text
  }
}
