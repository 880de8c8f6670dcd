/**
 * Finds the values of a flat JSON object in its bytes, without creating strings or objects. Only
 * the plain form is read: no white space, no escapes, ASCII, known keys that occur once, whole
 * numbers, decimals of at most 15 digits and point, and lists of levels. Anything else ends the
 * scan with NOT_PLAIN, and the caller reads the frame another way. fast.ts interprets the fields.
 */
import type { Level } from '#core/market.ts'

export const NOT_PLAIN = -1

/** Slots of two-letter keys. The slot of a one-letter key is its character code, from 65 on. */
export const SLOT = { st: 1, ps: 2, nq: 3, pu: 4 } as const

const SLOT_COUNT = 128
const DIGITS_MAX = 15

/**
 * Ten to the power of the index, exact. A mantissa of 15 digits is exact too, and dividing two
 * exact doubles rounds correctly, so the quotient equals Number(text).
 */
const POWERS_OF_TEN = Array.from({ length: DIGITS_MAX + 1 }, (_, exponent) => 10 ** exponent)

const QUOTE = 0x22
const COMMA = 0x2c
const POINT = 0x2e
const ZERO = 0x30
const NINE = 0x39
const COLON = 0x3a
const BACKSLASH = 0x5c
const DELETE = 0x7f
const OPEN_LIST = 0x5b
const CLOSE_LIST = 0x5d
const OPEN = 0x7b
const CLOSE = 0x7d
const TRUE_BYTES = Buffer.from('true')
const FALSE_BYTES = Buffer.from('false')

const KIND_TEXT = 1
const KIND_WHOLE = 2
const KIND_TRUE = 3
const KIND_FALSE = 4
const KIND_LEVELS = 5
/** A text that is a decimal. */
const KIND_DECIMAL = 6
const KIND_COUNT = 8

/**
 * Results of the last scan by slot. Reused, because parsing is synchronous. A kind is stored plus
 * the number of its scan, so the results of earlier scans need not be cleared.
 */
const kinds = new Int32Array(SLOT_COUNT)
const starts = new Int32Array(SLOT_COUNT)
const ends = new Int32Array(SLOT_COUNT)
const numbers = new Float64Array(SLOT_COUNT)
/** A multiple of KIND_COUNT. */
let scan = 0
const SCAN_MAX = 2 ** 30
const lists: (readonly Level[])[] = Array.from({ length: SLOT_COUNT }, () => [])
/** Where the last decimal ended: the index after its closing quote. */
let number_end = 0

/** Scans the object that begins at `at`; returns the index after its end, or NOT_PLAIN. */
export function scanObject(bytes: Buffer, at: number): number {
  beginScan()
  if (bytes[at] !== OPEN) return NOT_PLAIN
  for (;;) {
    if (bytes[at + 1] !== QUOTE) return NOT_PLAIN
    const is_short = bytes[at + 3] === QUOTE
    const slot = is_short ? letterSlot(bytes[at + 2]!) : pairSlot(bytes, at + 2)
    const value_at = at + (is_short ? 5 : 6)
    if (slot === 0 || !isAbsent(slot) || bytes[value_at - 1] !== COLON) return NOT_PLAIN
    at = scanValue(bytes, value_at, slot)
    if (at === NOT_PLAIN) return NOT_PLAIN
    if (bytes[at] === CLOSE) return at + 1
    if (bytes[at] !== COMMA) return NOT_PLAIN
  }
}

/** The index of the quote that ends a plain string beginning at `at`, or NOT_PLAIN. */
export function endOfText(bytes: Buffer, at: number): number {
  for (; at < bytes.length; at++) {
    const byte = bytes[at]!
    if (byte === QUOTE) return at
    if (byte < 0x20 || byte === BACKSLASH || byte >= DELETE) return NOT_PLAIN
  }
  return NOT_PLAIN
}

export function isAbsent(slot: number): boolean {
  return kinds[slot]! <= scan
}

/** A whole number; NaN if the slot holds something else or nothing. */
export function wholeAt(slot: number): number {
  return isKind(slot, KIND_WHOLE) ? numbers[slot]! : Number.NaN
}

/** A decimal as text; NaN if the slot holds something else or nothing. */
export function decimalAt(slot: number): number {
  return isKind(slot, KIND_DECIMAL) ? numbers[slot]! : Number.NaN
}

/** Levels, in the order of the frame; undefined if the slot has none. Prices are above 0. */
export function levelsAt(slot: number): readonly Level[] | undefined {
  return isKind(slot, KIND_LEVELS) ? lists[slot] : undefined
}

export function flagAt(slot: number): boolean | undefined {
  if (isKind(slot, KIND_TRUE)) return true
  return isKind(slot, KIND_FALSE) ? false : undefined
}

export function isTextAt(bytes: Buffer, slot: number, expected: Buffer): boolean {
  if (!isText(slot) || ends[slot]! - starts[slot]! !== expected.length) return false
  return isAt(bytes, starts[slot]!, expected)
}

/** Calls `read` with the bounds of a text; undefined if the slot has none. */
export function textAt<T>(
  bytes: Buffer,
  slot: number,
  read: (bytes: Buffer, start: number, end: number) => T,
): T | undefined {
  return isText(slot) ? read(bytes, starts[slot]!, ends[slot]!) : undefined
}

export function isAt(bytes: Buffer, at: number, expected: Buffer): boolean {
  for (let index = 0; index < expected.length; index++) {
    if (bytes[at + index] !== expected[index]) return false
  }
  return true
}

function beginScan(): void {
  scan += KIND_COUNT
  if (scan < SCAN_MAX) return
  kinds.fill(0)
  scan = KIND_COUNT
}

function setKind(slot: number, kind: number): void {
  kinds[slot] = scan + kind
}

function isKind(slot: number, kind: number): boolean {
  return kinds[slot] === scan + kind
}

function isText(slot: number): boolean {
  return isKind(slot, KIND_TEXT) || isKind(slot, KIND_DECIMAL)
}

function letterSlot(byte: number): number {
  const letter = byte | 0x20
  return letter >= 0x61 && letter <= 0x7a ? byte : 0
}

function pairSlot(bytes: Buffer, at: number): number {
  if (bytes[at + 2] !== QUOTE) return 0
  const pair = (bytes[at]! << 8) | bytes[at + 1]!
  if (pair === 0x7374) return SLOT.st
  if (pair === 0x7073) return SLOT.ps
  if (pair === 0x7075) return SLOT.pu
  return pair === 0x6e71 ? SLOT.nq : 0
}

/** Stores the value at `at` in its slot. Returns the index after it, or NOT_PLAIN. */
function scanValue(bytes: Buffer, at: number, slot: number): number {
  const first = bytes[at]!
  if (first === QUOTE) return scanText(bytes, at + 1, slot)
  if (first >= ZERO && first <= NINE) return scanWhole(bytes, at, slot)
  if (first === OPEN_LIST) return scanLevels(bytes, at, slot)
  if (isAt(bytes, at, TRUE_BYTES)) {
    setKind(slot, KIND_TRUE)
    return at + TRUE_BYTES.length
  }
  if (isAt(bytes, at, FALSE_BYTES)) {
    setKind(slot, KIND_FALSE)
    return at + FALSE_BYTES.length
  }
  return NOT_PLAIN
}

/** `at` is the first byte after the quote. Most texts are decimals, whose end gives their value. */
function scanText(bytes: Buffer, at: number, slot: number): number {
  starts[slot] = at
  const byte = bytes[at]!
  if (byte >= ZERO && byte <= NINE) {
    const value = scanDecimal(bytes, at)
    if (value >= 0) {
      setKind(slot, KIND_DECIMAL)
      numbers[slot] = value
      ends[slot] = number_end - 1
      return number_end
    }
  }
  const end = endOfText(bytes, at)
  if (end === NOT_PLAIN) return NOT_PLAIN
  setKind(slot, KIND_TEXT)
  ends[slot] = end
  return end + 1
}

/** `[["61800.20","0.014"],...]`; `at` is the opening bracket. */
function scanLevels(bytes: Buffer, at: number, slot: number): number {
  const levels: Level[] = []
  setKind(slot, KIND_LEVELS)
  lists[slot] = levels
  if (bytes[at + 1] === CLOSE_LIST) return at + 2
  do {
    if (bytes[at + 1] !== OPEN_LIST || bytes[at + 2] !== QUOTE) return NOT_PLAIN
    const price = scanDecimal(bytes, at + 3)
    if (!(price > 0) || bytes[number_end] !== COMMA || bytes[number_end + 1] !== QUOTE)
      return NOT_PLAIN
    const qty = scanDecimal(bytes, number_end + 2)
    if (!(qty >= 0) || bytes[number_end] !== CLOSE_LIST) return NOT_PLAIN
    levels.push([price, qty])
    at = number_end + 1
  } while (bytes[at] === COMMA)
  return bytes[at] === CLOSE_LIST ? at + 1 : NOT_PLAIN
}

/** The decimal from `start` to the next quote, or NaN. Sets `number_end` past the quote. */
function scanDecimal(bytes: Buffer, start: number): number {
  let mantissa = 0
  let point = -1
  let at = start
  for (; ; at++) {
    const byte = bytes[at]!
    if (byte >= ZERO && byte <= NINE) mantissa = mantissa * 10 + (byte - ZERO)
    else if (byte === POINT && point === -1) point = at
    else break
  }
  number_end = at + 1
  if (bytes[at] !== QUOTE || at === start || point === start || at - start > DIGITS_MAX)
    return Number.NaN
  if (point === -1) return mantissa
  const fraction_digits = at - point - 1
  return fraction_digits === 0 ? Number.NaN : mantissa / POWERS_OF_TEN[fraction_digits]!
}

function scanWhole(bytes: Buffer, at: number, slot: number): number {
  const start = at
  let value = 0
  for (; at - start <= DIGITS_MAX; at++) {
    const byte = bytes[at]!
    if (!(byte >= ZERO && byte <= NINE)) break
    value = value * 10 + (byte - ZERO)
  }
  const digit_count = at - start
  // JSON allows no leading zeros. A point or an exponent ends the scan in scanObject.
  if (digit_count > DIGITS_MAX || (digit_count > 1 && bytes[start] === ZERO)) return NOT_PLAIN
  setKind(slot, KIND_WHOLE)
  numbers[slot] = value
  return at
}
