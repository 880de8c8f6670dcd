/**
 * Time as a plain number: microseconds since 1970-01-01T00:00:00Z, UTC. No function here reads a
 * clock; callers pass the time in, so core stays pure.
 */
declare const unit: unique symbol

/** Microseconds since 1970-01-01T00:00:00Z. Exact in a JS number until the year 2255. */
export type Micros = number & { readonly [unit]: 'us' }

/** A UTC calendar day, `YYYY-MM-DD`. */
export type Day = string & { readonly [unit]: 'day' }

export const SECOND_US = 1_000_000
export const HOUR_US = 3_600 * SECOND_US
export const DAY_US = 24 * HOUR_US

export function micros(value: number): Micros {
  return value as Micros
}

export function fromMillis(value_ms: number): Micros {
  return (value_ms * 1_000) as Micros
}

/** ISO 8601 with all six digits, so that text sorts as time does: `2024-08-08T23:54:16.313000Z`. */
export function toIso(ts: Micros): string {
  const second = Math.floor(ts / SECOND_US)
  if (second !== iso_second) {
    iso_prefix = new Date(second * 1_000).toISOString().slice(0, -'000Z'.length)
    iso_second = second
  }
  return `${iso_prefix}${String(ts - second * SECOND_US).padStart(6, '0')}Z`
}

/** Times that are written one after the other mostly share their second. */
let iso_second: number | undefined
let iso_prefix = ''

/** The UTC day that contains this time. */
export function dayOf(ts: Micros): Day {
  return new Date(Math.floor(ts / 1_000)).toISOString().slice(0, 10) as Day
}

/** Start (inclusive) and end (exclusive) of a UTC day. */
export function dayRange(day: Day): { readonly from: Micros; readonly to: Micros } {
  const from = Date.parse(`${day}T00:00:00Z`) * 1_000
  return { from: micros(from), to: micros(from + DAY_US) }
}

export function addDays(day: Day, count: number): Day {
  return dayOf(micros(dayRange(day).from + count * DAY_US))
}

/** The text as a day; undefined if it is not a real calendar date in the form YYYY-MM-DD. */
export function parseDay(text: string): Day | undefined {
  if (!/^\d{4}-\d{2}-\d{2}$/.test(text)) return undefined
  const ms = Date.parse(`${text}T00:00:00Z`)
  if (Number.isNaN(ms) || new Date(ms).toISOString().slice(0, 10) !== text) return undefined
  return text as Day
}

/** Start of the UTC hour that contains this time: the partition key of every raw table. */
export function hourStart(ts: Micros): Micros {
  return micros(Math.floor(ts / HOUR_US) * HOUR_US)
}
