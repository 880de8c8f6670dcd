/** SHA-256 (FIPS 180-4) of bytes that come in parts: browsers have it only for whole bodies. */

const BLOCK_BYTES = 64
const ROUNDS = 64

const PRIMES = primes(ROUNDS)
const CONSTANTS = Int32Array.from(PRIMES, (prime) => fractionBits(Math.cbrt(prime)))
const START = Int32Array.from(PRIMES.slice(0, 8), (prime) => fractionBits(Math.sqrt(prime)))

export class Sha256 {
  readonly #state = START.slice()
  readonly #block = new Uint8Array(BLOCK_BYTES)
  readonly #view = new DataView(this.#block.buffer)
  readonly #words = new Int32Array(ROUNDS)
  #byte_count = 0

  add(bytes: Uint8Array): this {
    let at = 0
    while (at < bytes.byteLength) {
      const from = this.#byte_count % BLOCK_BYTES
      const part = bytes.subarray(at, at + BLOCK_BYTES - from)
      this.#block.set(part, from)
      at += part.byteLength
      this.#byte_count += part.byteLength
      if (from + part.byteLength === BLOCK_BYTES) this.#mix()
    }
    return this
  }

  /** In hexadecimal. Call it once, after all parts. */
  hex(): string {
    const bit_count = BigInt(this.#byte_count) * 8n
    const left = this.#byte_count % BLOCK_BYTES
    const padding = new Uint8Array((left < 56 ? 56 : 120) - left)
    padding[0] = 0x80
    this.add(padding)
    this.#view.setBigUint64(56, bit_count)
    this.#mix()
    return Array.from(this.#state, (word) => (word >>> 0).toString(16).padStart(8, '0')).join('')
  }

  #mix(): void {
    const words = this.#words
    for (let i = 0; i < 16; i++) words[i] = this.#view.getInt32(i * 4)
    for (let i = 16; i < ROUNDS; i++) {
      const [a, b] = [words[i - 15]!, words[i - 2]!]
      const small = turn(a, 7) ^ turn(a, 18) ^ (a >>> 3)
      const large = turn(b, 17) ^ turn(b, 19) ^ (b >>> 10)
      words[i] = (words[i - 16]! + small + words[i - 7]! + large) | 0
    }
    const state = this.#state
    let [a, b, c, d] = [state[0]!, state[1]!, state[2]!, state[3]!]
    let [e, f, g, h] = [state[4]!, state[5]!, state[6]!, state[7]!]
    for (let i = 0; i < ROUNDS; i++) {
      const of_e = turn(e, 6) ^ turn(e, 11) ^ turn(e, 25)
      const chosen = (e & f) ^ (~e & g)
      const first = (h + of_e + chosen + CONSTANTS[i]! + words[i]!) | 0
      const of_a = turn(a, 2) ^ turn(a, 13) ^ turn(a, 22)
      const majority = (a & b) ^ (a & c) ^ (b & c)
      h = g
      g = f
      f = e
      e = (d + first) | 0
      d = c
      c = b
      b = a
      a = (first + of_a + majority) | 0
    }
    for (const [i, word] of [a, b, c, d, e, f, g, h].entries()) state[i] = (state[i]! + word) | 0
  }
}

function turn(word: number, bits: number): number {
  return (word >>> bits) | (word << (32 - bits))
}

/** The first 32 bits after the point. */
function fractionBits(value: number): number {
  return Math.floor((value - Math.floor(value)) * 2 ** 32) | 0
}

function primes(count: number): readonly number[] {
  const found: number[] = []
  for (let n = 2; found.length < count; n++) if (found.every((p) => n % p !== 0)) found.push(n)
  return found
}
