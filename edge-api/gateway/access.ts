/**
 * Access to the gateway: a caller needs the secret, and must name the login and database that the
 * gateway is configured with. Values are hashed before they are compared, so the time of a
 * comparison reveals neither their content nor their length.
 */
import { timingSafeEqual } from 'node:crypto'
import { OperatorError } from '#core/errors.ts'
import { createBearerCheck, digest } from '#core/node/bearer.ts'

export interface Access {
  /** True if the Authorization header carries the secret. */
  bearsSecret(authorization: string | undefined): boolean
  /** True if the connection string names our login, password and database. Its host is ignored. */
  namesDatabase(connection_string: string | undefined): boolean
}

export function createAccess(gateway_secret: string, database_url: string): Access {
  const own = identityOf(database_url)
  if (own === undefined)
    throw new OperatorError('bad_config', 'DATABASE_URL is not a valid percent-encoded URL.')
  const identity = digest(own)
  /** Of the spelling that was right before: the worker always sends the same one. */
  let known: Buffer | undefined
  return {
    bearsSecret: createBearerCheck(gateway_secret),
    namesDatabase(connection_string = '') {
      const sent = digest(connection_string)
      if (known !== undefined && timingSafeEqual(sent, known)) return true
      const named = identityOf(connection_string)
      const is_ours = named !== undefined && timingSafeEqual(digest(named), identity)
      if (is_ours) known = sent
      return is_ours
    },
  }
}

/** Login, password and database in one string; undefined if `url` is not a Postgres URL. */
function identityOf(url: string): string | undefined {
  if (!URL.canParse(url)) return undefined
  const { protocol, username, password, pathname } = new URL(url)
  if (!/^postgres(ql)?:$/.test(protocol)) return undefined
  try {
    // Drivers differ in which characters they escape, so the decoded values are compared.
    return [username, password, pathname.slice(1)].map(decodeURIComponent).join('\0')
  } catch {
    return undefined
  }
}
