/** Checks of option values that several commands share. */
import { InvalidArgumentError } from 'commander'

/** Of a disk: 2, 0.5, or 0. */
export function gigabytes(text: string): number {
  const value = Number(text)
  if (!/^\d+(\.\d+)?$/.test(text) || value > 100_000) {
    throw new InvalidArgumentError('Expected gigabytes from 0 to 100000, such as 2 or 0.5.')
  }
  return value
}

/** A whole number from min to max. */
export function wholeNumber(min: number, max: number): (text: string) => number {
  return (text) => {
    const value = Number(text)
    if (!/^\d+$/.test(text) || value < min || value > max) {
      throw new InvalidArgumentError(`Expected a whole number from ${min} to ${max}.`)
    }
    return value
  }
}
