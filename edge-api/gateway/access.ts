/**
 * Who may ask: the bearer of the secret, and only for the login and database that the gateway
 * was set up with. Both sides are hashed first, so that comparing takes the same time whatever
 * was sent, its length included.
 */
import { createHash, timingSafeEqual } from 'node:crypto'
import { OperatorError } from '#core/errors.ts'

export interface Access {
  /** True where the Authorization header bears the secret. */
  bearsSecret(authorization: string | undefined): boolean
  /**
   * True where the connection string names our login, password and database; its host is not ours
   * to judge.
   */
  namesDatabase(connection_string: string | undefined): boolean
}

export function createAccess(gateway_secret: string, database_url: string): Access {
  const bearer = digest(`Bearer ${gateway_secret}`)
  const own = identityOf(database_url)
  if (own === undefined)
    throw new OperatorError('bad_config', 'DATABASE_URL is not escaped as a URL must be.')
  const identity = digest(own)
  return {
    bearsSecret: (authorization) => timingSafeEqual(digest(authorization ?? ''), bearer),
    namesDatabase(connection_string) {
      const named = identityOf(connection_string ?? '')
      return named !== undefined && timingSafeEqual(digest(named), identity)
    },
  }
}

function digest(text: string): Buffer {
  return createHash('sha256').update(text).digest()
}

/** Login, password and database in one text; undefined where there is no such URL. */
function identityOf(url: string): string | undefined {
  if (!URL.canParse(url)) return undefined
  const { protocol, username, password, pathname } = new URL(url)
  if (!/^postgres(ql)?:$/.test(protocol)) return undefined
  try {
    // Decoded: drivers differ in which characters they escape.
    return [username, password, pathname.slice(1)].map(decodeURIComponent).join('\0')
  } catch {
    return undefined
  }
}
