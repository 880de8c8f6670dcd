/**
 * Compares a bearer secret. Values are hashed before they are compared, so the time of a comparison
 * reveals neither their content nor their length.
 */
import { hash, timingSafeEqual } from 'node:crypto'

/** True if the Authorization header carries the secret. */
export type BearsSecret = (authorization: string | undefined) => boolean

export function createBearerCheck(secret: string): BearsSecret {
  const bearer = digest(`Bearer ${secret}`)
  return (authorization) => timingSafeEqual(digest(authorization ?? ''), bearer)
}

export function digest(text: string): Buffer {
  return hash('sha256', text, 'buffer')
}
