/** Seconds that an answer may be cached, from its Cache-Control; 0: not at all. */
export function maxAgeOf(headers: Headers): number {
  return Number(/\bmax-age=(\d+)/.exec(headers.get('cache-control') ?? '')?.[1] ?? 0)
}
