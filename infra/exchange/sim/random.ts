/** Seeded randomness: the same seed gives the same numbers on every machine. */

/** Numbers in [0, 1). sfc32 by Chris Doty-Humphrey, seeded over a few rounds. */
export function createRandom(seed: number): () => number {
  let a = seed >>> 0
  let b = (seed / 2 ** 32) >>> 0
  let c = 0x9e3779b9
  let counter = 1
  const next = (): number => {
    const sum = (a + b + counter) | 0
    counter = (counter + 1) | 0
    a = b ^ (b >>> 9)
    b = (c + (c << 3)) | 0
    c = (c << 21) | (c >>> 11)
    c = (c + sum) | 0
    return (sum >>> 0) / 2 ** 32
  }
  for (let round = 0; round < 16; round += 1) next()
  return next
}

/** A seed per name, so that adding a symbol does not change the markets of the others. */
export function seedOf(seed: number, name: string): number {
  let hash = 0x811c9dc5 ^ seed
  for (const char of name) hash = Math.imul(hash ^ char.codePointAt(0)!, 0x01000193)
  return hash >>> 0
}
