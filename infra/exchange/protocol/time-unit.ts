/** Converts times to microseconds for clients that request them; sources use milliseconds. */

const TIMES = /"(E|T|time|serverTime|openTime|closeTime)":(\d{13})(?=[,}])/g

/**
 * JSON text with its times in microseconds. The last three digits are made up, but depend only on
 * the millisecond, so a trade has the same time over sockets and REST.
 */
export function inMicroseconds(text: string): string {
  return text.replace(TIMES, (_match, name: string, ms: string) => {
    return `"${name}":${ms}${String(Number(ms) % 997).padStart(3, '0')}`
  })
}

/** Parses `timeUnit` or the header `x-mbx-time-unit`; undefined for an invalid value. */
export function asksForMicroseconds(unit: string | null | undefined): boolean | undefined {
  const name = (unit ?? 'millisecond').toLowerCase()
  if (name === 'microsecond') return true
  return name === 'millisecond' ? false : undefined
}
