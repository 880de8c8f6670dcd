/**
 * Prices and quantities as text, with as many decimals as the exchange uses: the double 61800.2 of
 * an instrument with tick 0.01 is "61800.20". No digit is ever lost: if a value is not a multiple
 * of the step (because the step changed or is unknown), the text is its shortest decimal.
 */

import type { Decimal } from './decimals.ts'

/** Decimals of an instrument's prices and quantities; null if unknown. */
export interface Decimals {
  readonly price_decimals: number | null
  readonly qty_decimals: number | null
}

/** `decimals` is null if the instrument's step is unknown. */
export function decimalText(value: number, decimals: number | null): string {
  if (decimals !== null) {
    const text = roundedText(value, decimals)
    if (Number(text) === value) return text
  }
  return shortestText(value)
}

/**
 * Rounded to `decimals` decimals. From 1e21 on doubles have no decimals, and `toFixed` would write
 * an exponent.
 */
export function roundedText(value: number, decimals: number): string {
  return Math.abs(value) < 1e21 ? value.toFixed(Math.min(decimals, 100)) : shortestText(value)
}

/** Every digit of an exact value, with at least `decimals` decimals; null: as few as it needs. */
export function exactText({ units, digits }: Decimal, decimals: number | null): string {
  const is_negative = units < 0
  const text = String(is_negative ? -units : units).padStart(digits + 1, '0')
  const point = text.length - digits
  let fraction = text.slice(point)
  const least = decimals ?? 0
  let length = fraction.length
  while (length > least && fraction[length - 1] === '0') length--
  fraction = fraction.slice(0, length).padEnd(least, '0')
  return `${is_negative ? '-' : ''}${text.slice(0, point)}${fraction === '' ? '' : `.${fraction}`}`
}

/** Digits after the point of a decimal text: "61800.20" is 2. */
export function decimalsIn(text: string): number {
  const point = text.indexOf('.')
  return point < 0 ? 0 : text.length - point - 1
}

/** The shortest decimal that reads back as the same double, never with an exponent. */
function shortestText(value: number): string {
  const text = String(value)
  const match = /^(-?)(\d)(?:\.(\d+))?e([+-]\d+)$/.exec(text)
  if (match === null) return text
  const [, sign, head, tail = '', exponent] = match
  const digits = head + tail
  const point = 1 + Number(exponent)
  if (point <= 0) return `${sign}0.${'0'.repeat(-point)}${digits}`
  return `${sign}${digits.padEnd(point, '0')}`
}
