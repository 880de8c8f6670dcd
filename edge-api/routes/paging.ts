/** Where a page ends and the next one begins. */
import { encodeCursor, type Cursor } from '../tables/cursor.ts'

/** Splits `limit + 1` rows into a page and the cursor of the next one, where there is one. */
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
 * The path that goes on behind a page; the range is fixed, so that "now" does not move. `path` is
 * percent-encoded again: the router hands it out decoded, and a header holds ASCII alone.
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
