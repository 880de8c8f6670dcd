/**
 * Parquet's DELTA_BINARY_PACKED for whole numbers held in doubles: differences of neighbours in
 * blocks of 128, bit-packed with one width per 32 differences. Source: the format's Encodings.md.
 * Doubles are about ten times faster than bigints. If a difference might not be exact, the caller
 * uses another encoding.
 */
const BLOCK_VALUES = 128
const MINIBLOCKS = 4
const MINIBLOCK_VALUES = BLOCK_VALUES / MINIBLOCKS
/** Smaller widths are packed in one step of 32-bit arithmetic, with up to seven bits left over. */
const STEP_BITS = 24
const STEP = 2 ** STEP_BITS
/** Twice this value, and the difference of two values up to it, are exact. */
const EXACT_MAX = 2 ** 52
const HEAD_BYTES_MAX = 32
/** Smallest difference, four widths, 128 values of at most 53 bits. */
const BLOCK_BYTES_MAX = 10 + MINIBLOCKS + BLOCK_VALUES * 8

/** The encoded values; undefined if a difference is too large for exact arithmetic. */
export function encodeDelta(values: Float64Array): Uint8Array | undefined {
  if (Math.abs(values[0] ?? 0) > EXACT_MAX) return undefined
  const block_count = Math.ceil(Math.max(0, values.length - 1) / BLOCK_VALUES)
  const out = new Packer(new Uint8Array(HEAD_BYTES_MAX + block_count * BLOCK_BYTES_MAX))
  out.varint(BLOCK_VALUES)
  out.varint(MINIBLOCKS)
  out.varint(values.length)
  out.zigzag(values[0] ?? 0)
  const deltas = new Float64Array(BLOCK_VALUES)
  for (let first = 1; first < values.length; first += BLOCK_VALUES) {
    const count = Math.min(BLOCK_VALUES, values.length - first)
    let smallest = Infinity
    for (let i = 0; i < count; i++) {
      const delta = values[first + i]! - values[first + i - 1]!
      if (Math.abs(delta) > EXACT_MAX) return undefined
      deltas[i] = delta
      if (delta < smallest) smallest = delta
    }
    for (let i = 0; i < count; i++) deltas[i]! -= smallest
    deltas.fill(0, count)
    out.zigzag(smallest)
    writeMiniblocks(out, deltas)
  }
  return out.taken()
}

/**
 * Decodes `count` values. Throws if the page ends early or a value is not a safe integer. Blocks of
 * any size are read, with widths up to 53 bits.
 */
export function decodeDelta(bytes: Uint8Array, count: number): Float64Array {
  const values = new Float64Array(count)
  const head = new HeadReader(bytes)
  const block_values = head.varint()
  const miniblocks = head.varint()
  const miniblock_values = block_values / miniblocks
  head.varint()
  let value = head.zigzag()
  if (count > 0) values[0] = value
  for (let filled = 1; filled < count && head.at <= bytes.length;) {
    const smallest = head.zigzag()
    const widths = bytes.subarray(head.at, head.at + miniblocks)
    head.at += miniblocks
    for (let i = 0; i < miniblocks && filled < count; i++) {
      const end = Math.min(count, filled + miniblock_values)
      unpack(bytes, head.at, widths[i]!, values, filled, end)
      head.at += (miniblock_values * widths[i]!) / 8
      for (; filled < end; filled++) values[filled] = value += smallest + values[filled]!
    }
  }
  if (!(head.at <= bytes.length) || !areSafe(values)) {
    throw new Error('a page of whole numbers ends early or holds one that is too large')
  }
  return values
}

/** Reads values of `width` bits, lowest bits first, into out[from] to out[to - 1]. */
function unpack(
  bytes: Uint8Array,
  start: number,
  width: number,
  out: Float64Array,
  from: number,
  to: number,
): void {
  if (width === 0) return
  let at = start
  let pending = 0
  let bits = 0
  for (let i = from; i < to; i++) {
    let value = 0
    let scale = 1
    for (let left = width; left > 0; left -= STEP_BITS) {
      const step = left < STEP_BITS ? left : STEP_BITS
      for (; bits < step; bits += 8) pending |= bytes[at++]! << bits
      value += (pending & ((STEP - 1) >>> (STEP_BITS - step))) * scale
      pending >>>= step
      bits -= step
      scale *= STEP
    }
    out[i] = value
  }
}

function areSafe(values: Float64Array): boolean {
  for (let i = 0; i < values.length; i++) if (!Number.isSafeInteger(values[i])) return false
  return true
}

/** Four widths, then the values of each miniblock. A miniblock of zeros takes no bytes. */
function writeMiniblocks(out: Packer, deltas: Float64Array): void {
  const widths: number[] = []
  for (let at = 0; at < BLOCK_VALUES; at += MINIBLOCK_VALUES) {
    let largest = 0
    for (let i = at; i < at + MINIBLOCK_VALUES; i++) {
      if (deltas[i]! > largest) largest = deltas[i]!
    }
    widths.push(bitsOf(largest))
  }
  for (const width of widths) out.byte(width)
  for (const [miniblock, width] of widths.entries()) {
    if (width === 0) continue
    const from = miniblock * MINIBLOCK_VALUES
    for (let i = from; i < from + MINIBLOCK_VALUES; i++) out.bits(deltas[i]!, width)
  }
}

function bitsOf(value: number): number {
  const high = Math.floor(value / 2 ** 32)
  return high === 0 ? 32 - Math.clz32(value) : 64 - Math.clz32(high)
}

class Packer {
  readonly #bytes: Uint8Array
  #at = 0
  #pending = 0
  #pending_bits = 0

  constructor(bytes: Uint8Array) {
    this.#bytes = bytes
  }

  byte(value: number): void {
    this.#bytes[this.#at++] = value
  }

  /** An unsigned number in groups of seven bits. */
  varint(value: number): void {
    let rest = value
    while (rest >= 128) {
      this.byte((rest % 128) + 128)
      rest = Math.floor(rest / 128)
    }
    this.byte(rest)
  }

  /** A signed number: 0, -1, 1, -2 become 0, 1, 2, 3. */
  zigzag(value: number): void {
    this.varint(value >= 0 ? value * 2 : -value * 2 - 1)
  }

  /** Lowest bits first. A miniblock ends at a whole byte, because it has 32 values. */
  bits(value: number, width: number): void {
    let rest = value
    let left = width
    for (; left > STEP_BITS; left -= STEP_BITS) {
      const high = Math.floor(rest / STEP)
      this.#step(rest - high * STEP, STEP_BITS)
      rest = high
    }
    this.#step(rest, left)
  }

  taken(): Uint8Array {
    return this.#bytes.subarray(0, this.#at)
  }

  #step(value: number, width: number): void {
    let pending = this.#pending | (value << this.#pending_bits)
    let bits = this.#pending_bits + width
    while (bits >= 8) {
      this.#bytes[this.#at++] = pending & 0xff
      pending >>>= 8
      bits -= 8
    }
    this.#pending = pending
    this.#pending_bits = bits
  }
}

class HeadReader {
  readonly #bytes: Uint8Array
  /** The next byte. */
  at = 0

  constructor(bytes: Uint8Array) {
    this.#bytes = bytes
  }

  varint(): number {
    let value = 0
    for (let scale = 1; ; scale *= 128) {
      const byte = this.#bytes[this.at++] ?? 0
      value += (byte & 127) * scale
      if (byte < 128) return value
    }
  }

  zigzag(): number {
    const value = this.varint()
    return value % 2 === 0 ? value / 2 : -(value + 1) / 2
  }
}
