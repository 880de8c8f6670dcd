/**
 * Prices and quantities as text, with the exchange's own decimals: the double 61800.2 of an
 * instrument with tick 0.01 is "61800.20". No digit is ever lost: where a value does not fit the
 * step (the exchange has changed it since, or never told us), it is its shortest decimal.
 */

/** Digits behind the point of an instrument's prices and quantities; null where not known. */
export interface Decimals {
  readonly price_decimals: number | null
  readonly qty_decimals: number | null
}

/** `decimals` is null where the instrument's step is not known. */
export function decimalText(value: number, decimals: number | null): string {
  if (decimals !== null) {
    const text = roundedText(value, decimals)
    if (Number(text) === value) return text
  }
  return shortestText(value)
}

/**
 * Rounded to so many decimals. From 1e21 on, where doubles have none, `toFixed` would write an
 * exponent.
 */
export function roundedText(value: number, decimals: number): string {
  return Math.abs(value) < 1e21 ? value.toFixed(Math.min(decimals, 100)) : shortestText(value)
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
