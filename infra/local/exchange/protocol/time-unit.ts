/** Times in microseconds, for who asks for them. Everything here is made in milliseconds. */

const TIMES = /"(E|T|time|serverTime|openTime|closeTime)":(\d{13})(?=[,}])/g

/**
 * JSON text with its times in microseconds. Their last three digits are made up, but the same for
 * the same millisecond: a trade has one time, by whichever way it is asked for.
 */
export function inMicroseconds(text: string): string {
  return text.replace(TIMES, (_match, name: string, ms: string) => {
    return `"${name}":${ms}${String(Number(ms) % 997).padStart(3, '0')}`
  })
}

/** What `timeUnit` or the header `x-mbx-time-unit` asks for; undefined for what they cannot be. */
export function asksForMicroseconds(unit: string | null | undefined): boolean | undefined {
  const name = (unit ?? 'millisecond').toLowerCase()
  if (name === 'microsecond') return true
  return name === 'millisecond' ? false : undefined
}
