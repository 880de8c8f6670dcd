/** A small JSON answer whose bytes the cache need not read from its Response again. */
import type { Context, TypedResponse } from 'hono'
import { MEDIA_TYPES } from '../formats/format.ts'
import { bodyOf } from '../memory/body-parts.ts'
import { ANSWER_BYTES } from '../memory/send-body.ts'

/** `body` is the JSON of a T. */
export function jsonAnswer<T extends object>(
  c: Context,
  body: Uint8Array<ArrayBuffer>,
): Response & TypedResponse<T, 200, 'json'> {
  c.set(ANSWER_BYTES, body)
  const response = c.body(bodyOf(body), 200, { 'content-type': MEDIA_TYPES.json })
  // Hono's type of a body says nothing about what is in it.
  return response as unknown as Response & TypedResponse<T, 200, 'json'>
}
