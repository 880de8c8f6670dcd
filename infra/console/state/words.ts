/** Formats figures for people, in the server's sentences and on the page. */

export function count(value: number): string {
  const digits = Math.abs(value) < 10 && !Number.isInteger(value) ? 1 : 0
  return value.toLocaleString('en-US', { maximumFractionDigits: digits })
}

/** `1 stream`, `3 streams` */
export function counted(value: number, one: string, many = `${one}s`): string {
  return `${count(value)} ${value === 1 ? one : many}`
}

/** `850 ms`, `4.2 s`, `12 min`, `3 h 20 min`, `6 days` */
export function duration(seconds: number): string {
  if (seconds < 1) return `${Math.round(seconds * 1_000)} ms`
  if (seconds < 9.95) return `${(Math.round(seconds * 10) / 10).toString()} s`
  if (seconds < 120) return `${Math.round(seconds)} s`
  const minutes = Math.round(seconds / 60)
  if (minutes < 120) return `${minutes} min`
  const hours = Math.floor(minutes / 60)
  if (hours < 10) return minutes % 60 === 0 ? `${hours} h` : `${hours} h ${minutes % 60} min`
  return hours < 48 ? `${hours} h` : `${Math.round(hours / 24)} days`
}

const UNITS = ['B', 'kB', 'MB', 'GB', 'TB', 'PB'] as const

export function bytes(value: number): string {
  let scaled = value
  let unit = 0
  while (Math.abs(scaled) >= 999.5 && unit < UNITS.length - 1) {
    scaled /= 1_000
    unit++
  }
  const digits = unit === 0 || Math.abs(scaled) >= 99.95 ? 0 : Math.abs(scaled) >= 9.995 ? 1 : 2
  return `${scaled.toFixed(digits)} ${UNITS[unit]}`
}

/** `A, B and C`; long lists are cut, with the number of the rest. */
export function listed(names: readonly string[], shown_max = 3): string {
  const more = names.length - shown_max
  if (more > 1) return `${names.slice(0, shown_max).join(', ')} and ${more} more`
  return names.length < 2
    ? (names[0] ?? '')
    : `${names.slice(0, -1).join(', ')} and ${names.at(-1)}`
}
