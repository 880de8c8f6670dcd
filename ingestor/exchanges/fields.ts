/**
 * Checks of single payload fields, shared by all exchanges. A missing or impossible value is
 * rejected with a reason; nothing is coerced. The adapters know which fields a frame has.
 */
import type { Level, MarketEvent } from '#core/market.ts'
import { isSymbolName } from '#core/symbols.ts'
import { fromMillis, type Micros, micros } from '#core/time.ts'
import type { OddElement, Parsed, RejectReason } from './adapter.ts'

const DETAIL_CHARS_MAX = 80
/** Some numbers have an exponent: 1.23454e-05. */
const DECIMAL = /^-?\d+(?:\.\d+)?(?:[eE][+-]?\d+)?$/
const ZERO_DECIMAL = /^-?[0.]+(?:[eE]|$)/
const DECIMAL_CHARS_MAX = 40

/** 2017-01-01 and 2100-01-01. No supported exchange is older, and every hour gets a partition. */
const TIME_MS_MIN = 1_483_228_800_000
const TIME_MS_MAX = 4_102_444_800_000

/**
 * Thrown by the checks below and caught by `orRejected`, so it never leaves an adapter. Not an
 * Error: collecting stack traces would make a flood of bad frames six times as expensive.
 */
export class Rejection {
  readonly reason: RejectReason
  readonly detail: string

  constructor(reason: RejectReason, detail: string) {
    this.reason = reason
    this.detail = detail
  }
}

/**
 * Runs a parser. A Rejection becomes a `rejected` value; any other error is a bug and is rethrown.
 */
export function orRejected(parse: () => Parsed): Parsed {
  try {
    return parse()
  } catch (error) {
    if (error instanceof Rejection) return rejected(error.reason, error.detail)
    throw error
  }
}

/**
 * Reads a list element by element, so an unreadable element does not reject the list. `affectedBy`
 * names the stream that lost an event by it. A list of one element is treated as that element.
 */
export function readEach(
  list: readonly unknown[],
  read: (wire: Fields) => readonly MarketEvent[],
  affectedBy: (element: unknown) => OddElement['affected'] = () => undefined,
): Parsed {
  const events: MarketEvent[] = []
  const odd: OddElement[] = []
  for (const element of list) {
    try {
      if (!isFields(element)) throw new Rejection('unknown_shape', 'expected a list of objects')
      events.push(...read(element))
    } catch (error) {
      if (!(error instanceof Rejection)) throw error
      const affected = affectedBy(element)
      const detail = clip(error.detail)
      const facts = {
        reason: error.reason,
        detail,
        ...(affected === undefined ? {} : { affected }),
      }
      if (list.length === 1) return { kind: 'rejected', ...facts }
      odd.push({ ...facts, events_before: events.length })
    }
  }
  return odd.length === 0 ? { kind: 'events', events } : { kind: 'events', events, odd }
}

export function rejected(reason: RejectReason, detail: string): Parsed {
  return { kind: 'rejected', reason, detail: clip(detail) }
}

/** JSON text as a value. */
export function parseJsonText(text: string): unknown {
  try {
    return JSON.parse(text)
  } catch {
    throw new Rejection('not_json', `not JSON: ${text}`)
  }
}

export type Fields = Readonly<Record<string, unknown>>

/** Names a field of a wire type, so a misspelt name does not compile. */
export function field<Wire>(name: keyof Wire & string): string {
  return name
}

export function isFields(value: unknown): value is Fields {
  return typeof value === 'object' && value !== null && !Array.isArray(value)
}

/** A sequence id: a whole number that a double holds exactly. */
export function idField(fields: Fields, name: string): number {
  const value = fields[name]
  if (typeof value !== 'number') throw badField(name, 'a whole number', value)
  if (!isExactId(value)) throw outOfRange(name, 'a whole number from 0 to 2^53 - 1', value)
  return value
}

/** Milliseconds since 1970 as microseconds. */
export function timeField(fields: Fields, name: string): Micros {
  const value = fields[name]
  if (typeof value !== 'number') throw badField(name, 'a time in milliseconds', value)
  if (!isPlausibleTime(value)) throw outOfRange(name, 'whole milliseconds of 2017 to 2100', value)
  return fromMillis(value)
}

/** Microseconds since 1970, cut to whole milliseconds: the key of a value without an id. */
export function microsField(fields: Fields, name: string): Micros {
  const value = fields[name]
  if (typeof value !== 'number') throw badField(name, 'a time in microseconds', value)
  const value_ms = Math.floor(value / 1_000)
  if (!isPlausibleTime(value_ms)) throw outOfRange(name, 'microseconds of 2017 to 2100', value)
  return fromMillis(value_ms)
}

/** Microseconds since 1970, exact. */
export function exactMicrosField(fields: Fields, name: string): Micros {
  const value = fields[name]
  if (typeof value !== 'number') throw badField(name, 'a time in microseconds', value)
  if (Number.isSafeInteger(value) && isPlausibleTime(Math.floor(value / 1_000)))
    return micros(value)
  throw outOfRange(name, 'whole microseconds of 2017 to 2100', value)
}

/** A price as a JSON number. */
export function priceField(fields: Fields, name: string): number {
  const value = fields[name]
  if (typeof value !== 'number') throw badField(name, 'a number', value)
  if (value > 0 && Number.isFinite(value)) return value
  throw outOfRange(name, 'a number of more than 0', value)
}

/** A decimal as text, like `61800.20`; at least 0. */
export function decimalField(fields: Fields, name: string): number {
  const value = decimalOf(name, fields[name])
  if (value >= 0 && !Object.is(value, -0)) return value
  throw outOfRange(name, 'a number of at least 0', fields[name])
}

/** One side of a quote. Both values are null if the side is empty. */
export interface QuoteSide {
  readonly price: number | null
  readonly qty: number | null
}

export const EMPTY_SIDE: QuoteSide = { price: null, qty: null }

/**
 * Exchanges write an empty side as a price or a quantity of 0, or as an empty text. One of the two
 * is enough, because a price without a quantity cannot be traded, nor the reverse.
 */
export function quoteSide(fields: Fields, price_name: string, qty_name: string): QuoteSide {
  const price = amountField(fields, price_name)
  const qty = amountField(fields, qty_name)
  return price === 0 || qty === 0 ? EMPTY_SIDE : { price, qty }
}

/** Like decimalField, but 0 for an empty text. */
function amountField(fields: Fields, name: string): number {
  return fields[name] === '' ? 0 : decimalField(fields, name)
}

/** A price, or a quantity that cannot be 0: like decimalField, but greater than 0. */
export function positiveField(fields: Fields, name: string): number {
  const value = decimalField(fields, name)
  if (value === 0) throw outOfRange(name, 'more than 0', value)
  return value
}

/** A decimal as text that may be negative, such as a rate. */
export function signedDecimalField(fields: Fields, name: string): number {
  // Turn -0 into 0.
  return decimalOf(name, fields[name]) || 0
}

/** Levels of a book, `[["61800.20","0.014"], ...]`: prices above 0, quantities of at least 0. */
export function levelsField(fields: Fields, name: string): readonly Level[] {
  const value = fields[name]
  if (!Array.isArray(value)) throw badField(name, 'a list of levels', value)
  return value.map((pair: unknown) => {
    if (!Array.isArray(pair)) throw badField(name, 'a list of [price, quantity]', pair)
    const price = levelNumber(name, pair[0])
    if (price === 0) throw outOfRange(name, 'prices of more than 0', pair[0])
    return [price, levelNumber(name, pair[1])]
  })
}

export function symbolField(fields: Fields, name: string): string {
  const value = fields[name]
  if (typeof value !== 'string' || !isSymbolName(value)) {
    throw new Rejection('bad_symbol', `${name}: expected a symbol, found ${show(value)}`)
  }
  return value
}

export function flagField(fields: Fields, name: string): boolean {
  const value = fields[name]
  if (typeof value !== 'boolean') throw badField(name, 'true or false', value)
  return value
}

export function isExactId(value: number): boolean {
  return Number.isSafeInteger(value) && value >= 0
}

export function isPlausibleTime(value_ms: number): boolean {
  return Number.isSafeInteger(value_ms) && value_ms >= TIME_MS_MIN && value_ms < TIME_MS_MAX
}

/** The double nearest to a decimal text. Rejects overflow and underflow. */
function decimalOf(name: string, text: unknown): number {
  if (typeof text !== 'string' || !DECIMAL.test(text)) {
    throw badField(name, 'a decimal number as text', text)
  }
  const value = Number(text)
  const is_lost = !Number.isFinite(value) || (value === 0 && !ZERO_DECIMAL.test(text))
  if (!is_lost && text.length <= DECIMAL_CHARS_MAX) return value
  throw outOfRange(
    name,
    `a number in the range of a double, in ${DECIMAL_CHARS_MAX} characters`,
    text,
  )
}

function levelNumber(name: string, text: unknown): number {
  const value = decimalOf(name, text)
  if (value >= 0 && !Object.is(value, -0)) return value
  throw badField(name, 'decimal numbers of at least 0 as text', text)
}

function badField(name: string, expected: string, found: unknown): Rejection {
  return new Rejection('bad_field', `${name}: expected ${expected}, found ${show(found)}`)
}

function outOfRange(name: string, expected: string, found: unknown): Rejection {
  return new Rejection('out_of_range', `${name}: expected ${expected}, found ${show(found)}`)
}

export function show(value: unknown): string {
  if (value === undefined) return 'nothing'
  if (Array.isArray(value)) return 'a list'
  if (typeof value === 'object' && value !== null) return 'an object'
  return clip(JSON.stringify(value))
}

function clip(text: string): string {
  return text.length <= DETAIL_CHARS_MAX ? text : `${text.slice(0, DETAIL_CHARS_MAX - 3)}...`
}
