/** How long an answer may be cached: the worker obeys the same Cache-Control as its callers. */

export interface Freshness {
  readonly fresh_s: number
  /** How long after that it may be served while a new answer is made. */
  readonly stale_s: number
}

const NOT_KEPT: Freshness = { fresh_s: 0, stale_s: 0 }

export function freshnessOf(cache_control: string | null | undefined): Freshness {
  const directives = (cache_control ?? '').split(',').map((text) => text.trim())
  if (!directives.includes('public')) return NOT_KEPT
  return {
    fresh_s: secondsOf(directives, 'max-age'),
    stale_s: secondsOf(directives, 'stale-while-revalidate'),
  }
}

function secondsOf(directives: readonly string[], name: string): number {
  const value = directives.find((text) => text.startsWith(`${name}=`))?.slice(name.length + 1)
  return value !== undefined && /^\d{1,9}$/.test(value) ? Number(value) : 0
}
