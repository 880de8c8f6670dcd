/**
 * Writes lines of numbers as bytes. With `String`, most of the time of a CSV file goes into digits.
 * Prices and quantities have few digits, so they are written here as whole multiples of their step.
 */

const ZERO = 48
const POINT = 46
const POWERS = [1, 10, 100, 1e3, 1e4, 1e5, 1e6, 1e7, 1e8]
/** Whole numbers below it, their halves, and their division by a power of ten are exact. */
const WHOLE_MAX = Number.MAX_SAFE_INTEGER

export class LineBuffer {
  readonly #bytes: Buffer
  #at = 0

  constructor(capacity_bytes: number) {
    this.#bytes = Buffer.allocUnsafe(capacity_bytes)
  }

  add(bytes: Uint8Array): void {
    this.#bytes.set(bytes, this.#at)
    this.#at += bytes.length
  }

  addByte(byte: number): void {
    this.#bytes[this.#at++] = byte
  }

  /** A safe integer that is not negative. */
  addWhole(value: number): void {
    if (value >= 1e8) {
      const high = Math.floor(value / 1e8)
      this.addWhole(high)
      this.#addDigits(value - high * 1e8, 8)
    } else this.#addDigits(value, digitsIn(value))
  }

  /** The shortest decimal that reads back as the same double, without an exponent; none for NaN. */
  addDecimal(value: number): void {
    if (Number.isNaN(value)) return
    for (let decimals = 0; decimals < POWERS.length; decimals++) {
      const power = POWERS[decimals]!
      const steps = Math.round(value * power)
      if (steps > WHOLE_MAX || steps < 0) break
      if (steps / power !== value) continue
      const whole = Math.floor(steps / power)
      this.addWhole(whole)
      if (decimals === 0) return
      this.addByte(POINT)
      this.#addDigits(steps - whole * power, decimals)
      return
    }
    this.#at += this.#bytes.write(plainDecimal(value), this.#at, 'latin1')
  }

  /** Takes a copy of what was added since the last call, and starts over. */
  take(): Buffer {
    const taken = Buffer.from(this.#bytes.subarray(0, this.#at))
    this.#at = 0
    return taken
  }

  #addDigits(value: number, count: number): void {
    let rest = value
    for (let at = this.#at + count - 1; at >= this.#at; at--) {
      const tens = Math.floor(rest / 10)
      this.#bytes[at] = ZERO + rest - tens * 10
      rest = tens
    }
    this.#at += count
  }
}

/** The shortest decimal that reads back as the same double, without an exponent. */
export function plainDecimal(value: number): string {
  const text = String(value)
  if (!text.includes('e')) return text
  const match = /^(-?)(\d)(?:\.(\d+))?e([+-]\d+)$/.exec(text)
  if (match === null) return text
  const [, sign = '', head = '', tail = '', exponent] = match
  const digits = head + tail
  const point = 1 + Number(exponent)
  if (point <= 0) return `${sign}0.${'0'.repeat(-point)}${digits}`
  return `${sign}${digits.padEnd(point, '0')}`
}

/** Number of digits of a whole number below 1e8. */
function digitsIn(value: number): number {
  let count = 1
  while (count < 8 && value >= POWERS[count]!) count += 1
  return count
}
