/** Where a page ended: the identity of its last row, opaque to the caller. */
import { micros, type Micros } from '#core/time.ts'

export interface Cursor {
  readonly ts: Micros
  readonly id: number
}

export function encodeCursor({ ts, id }: Cursor): string {
  return btoa(`${ts},${id}`).replace(/=+$/, '')
}

/** Undefined for a text that `encodeCursor` did not make. */
export function decodeCursor(text: string): Cursor | undefined {
  if (!/^[A-Za-z0-9]{1,64}$/.test(text)) return undefined
  let plain: string
  try {
    plain = atob(text)
  } catch {
    return undefined
  }
  const match = /^(\d{1,16}),(\d{1,16})$/.exec(plain)
  if (match === null) return undefined
  const [ts, id] = [Number(match[1]), Number(match[2])]
  if (!Number.isSafeInteger(ts) || !Number.isSafeInteger(id)) return undefined
  return { ts: micros(ts), id }
}
