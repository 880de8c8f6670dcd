/** Cuts pages and builds the path of the next page. */
import { encodeCursor, type Cursor } from '../tables/cursor.ts'

/** Cuts up to `limit + 1` rows to a page of `limit`; `next` is null if no row remains. */
export function splitPage<Row>(
  rows: readonly Row[],
  limit: number,
  cursorOf: (row: Row) => Cursor,
): { readonly rows: readonly Row[]; readonly next: Cursor | null } {
  if (rows.length <= limit) return { rows, next: null }
  const kept = rows.slice(0, limit)
  return { rows: kept, next: cursorOf(kept.at(-1)!) }
}

/**
 * The path of the next page, with explicit bounds so that "now" does not move between pages. `path`
 * is percent-encoded again: the router decodes it, and a header holds only ASCII.
 */
export function nextPath(
  path: string,
  next: Cursor | null,
  parameters: Readonly<Record<string, string | number | boolean | undefined>>,
): string | null {
  if (next === null) return null
  const search = new URLSearchParams()
  for (const [name, value] of Object.entries({ ...parameters, cursor: encodeCursor(next) })) {
    if (value !== undefined) search.set(name, String(value))
  }
  return `${path.split('/').map(encodeURIComponent).join('/')}?${search}`
}
