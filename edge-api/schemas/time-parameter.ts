/**
 * Parses times in parameters: ISO 8601, or a number since 1970. The size of a number decides its
 * unit: seconds below 1e11, milliseconds below 1e14, else microseconds. (Seconds reach 1e11 in the
 * year 5138. Milliseconds below 1e11 are before March 1973, which is before any recorded data.)
 */
import { HOUR_US, SECOND_US, micros, parseDay, type Micros } from '#core/time.ts'

/** The rule in words, for error messages and the docs. */
export const TIME_RULE =
  'ISO 8601 with Z or an offset (2024-08-08T23:54:16.313Z), a date (2024-08-08 is midnight UTC), ' +
  'or a number since 1970 (seconds below 1e11, milliseconds below 1e14, else microseconds), ' +
  'from 1970 to 2199'

const SECONDS_BELOW = 1e11
const MILLIS_BELOW = 1e14
const END = Date.UTC(2200, 0) * 1_000
// A plus sign that the caller did not escape arrives as a space.
const ISO =
  /^(\d{4}-\d\d-\d\d)(?:T([01]\d|2[0-3]):([0-5]\d)(?::([0-5]\d)(?:\.(\d{1,6}))?)?(?:Z|([+ -])([01]\d):([0-5]\d)))?$/

/** Undefined if the text does not follow the rule. */
export function parseTime(text: string): Micros | undefined {
  const value = parseNumber(text) ?? parseIso(text)
  return value !== undefined && value >= 0 && value < END ? micros(value) : undefined
}

function parseNumber(text: string): number | undefined {
  if (!/^\d{1,16}(\.\d{1,6})?$/.test(text)) return undefined
  const value = Number(text)
  if (value < SECONDS_BELOW) return Math.round(value * SECOND_US)
  if (value < MILLIS_BELOW) return Math.round(value * 1_000)
  return Math.round(value)
}

function parseIso(text: string): number | undefined {
  const match = ISO.exec(text)
  if (match === null) return undefined
  const [, date, hours = '0', minutes = '0', seconds = '0', fraction = ''] = match
  const day = parseDay(date!)
  if (day === undefined) return undefined
  const [sign, offset_hours = '0', offset_minutes = '0'] = match.slice(6)
  const offset_us = (Number(offset_hours) * 60 + Number(offset_minutes)) * 60 * SECOND_US
  return (
    Date.parse(`${day}T00:00:00Z`) * 1_000 +
    Number(hours) * HOUR_US +
    (Number(minutes) * 60 + Number(seconds)) * SECOND_US +
    Number(fraction.padEnd(6, '0')) -
    (sign === '-' ? -offset_us : offset_us)
  )
}
