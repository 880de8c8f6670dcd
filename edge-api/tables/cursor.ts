/**
 * The position after a page: the identity of its last row, opaque to the caller. The first part is
 * always the row's time.
 */
import { micros, type Micros } from '#core/time.ts'

export type PartKind = 'time' | 'id' | 'number' | 'word'
export type CursorPart = number | string
export type Cursor = readonly [time: Micros, ...rest: CursorPart[]]

/** Parts of the cursor of a page ordered by (time, id). */
export const TIME_AND_ID: readonly PartKind[] = ['time', 'id']

export function encodeCursor(cursor: Cursor): string {
  return btoa(cursor.join(',')).replace(/=+$/, '')
}

/** Undefined unless `encodeCursor` can produce the text from parts of these kinds. */
export function decodeCursor(text: string, kinds: readonly PartKind[]): Cursor | undefined {
  if (!/^[A-Za-z0-9]{1,200}$/.test(text)) return undefined
  let plain: string
  try {
    plain = atob(text)
  } catch {
    return undefined
  }
  const texts = plain.split(',')
  if (texts.length !== kinds.length) return undefined
  const [time, ...rest] = texts.map((part, index) => parsePart(part, kinds[index]!))
  if (typeof time !== 'number' || rest.includes(undefined)) return undefined
  return [micros(time), ...(rest as CursorPart[])]
}

function parsePart(text: string, kind: PartKind): CursorPart | undefined {
  if (kind === 'word') return /^[a-z]{1,16}$/.test(text) ? text : undefined
  const value = Number(text)
  // Only the canonical form of a number is valid, so that every position has one cursor.
  if (String(value) !== text || !Number.isFinite(value)) return undefined
  if (kind === 'number') return value
  // Gaps that have no row yet have negative ids.
  return Number.isSafeInteger(value) && (kind === 'id' || value >= 0) ? value : undefined
}
