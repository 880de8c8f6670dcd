/**
 * Access control and rate limits, before every route. A token in the Authorization header is
 * checked even if the route needs none, so that callers notice a wrong token.
 */
import type { Context, MiddlewareHandler } from 'hono'
import type { Micros } from '#core/time.ts'
import { Problem } from '../problem.ts'
import { scopeOf } from './scopes.ts'
import type { Scope, TokenPayload, VerifyToken } from '#core/access-token.ts'

/** True if the request is within the limit. */
export type RateLimit = (key: string) => Promise<boolean>

export interface Access {
  /** Scopes that need no token. */
  readonly public_scopes: ReadonlySet<Scope>
  readonly verifyToken: VerifyToken
  isRevoked(token_id: string): Promise<boolean>
  /** Keyed by the token's id. Requests without a valid token are limited by address. */
  readonly limitToken: RateLimit
  readonly limitAddress: RateLimit
  now(): Micros
}

const RETRY_AFTER_S = '10'
const CHALLENGE = 'Bearer realm="booktape"'

export function guard(access: Access): MiddlewareHandler {
  return async (c, next) => {
    // Preflights carry no token.
    if (c.req.method === 'OPTIONS') return next()
    const scope = scopeOf(c.req.path)
    const token = await authorize(access, callerOf(c), scope)
    await next()
    if (token !== undefined) keepPrivate(c.res)
  }
}

export interface Caller {
  /** The header. */
  readonly authorization: string | undefined
  readonly address: string | undefined
}

export function callerOf(c: Context): Caller {
  return {
    authorization: c.req.header('authorization'),
    address: c.req.header('cf-connecting-ip'),
  }
}

/** Throws a Problem unless the caller may use the scope. Returns the token if that took one. */
export async function authorize(
  access: Access,
  caller: Caller,
  scope: Scope | undefined,
): Promise<TokenPayload | undefined> {
  const token = await identify(access, caller)
  if (scope === undefined || access.public_scopes.has(scope)) return undefined
  requireScope(token, scope)
  return token
}

/** Counts the request towards the token's limit, or without a valid token the address's limit. */
async function identify(
  access: Access,
  { authorization, address }: Caller,
): Promise<TokenPayload | undefined> {
  const checked = authorization === undefined ? undefined : await checkToken(access, authorization)
  if (checked === undefined || checked instanceof Problem) {
    // A wrong token counts like no token, so guessing tokens is limited too.
    await requireRate(access.limitAddress, address ?? 'unknown')
    if (checked !== undefined) throw checked
    return undefined
  }
  await requireRate(access.limitToken, checked.id)
  return checked
}

async function checkToken(access: Access, authorization: string): Promise<TokenPayload | Problem> {
  const text = /^Bearer +(\S+)$/i.exec(authorization)?.[1]
  const verdict = text === undefined ? undefined : await access.verifyToken(text, access.now())
  if (verdict?.kind === 'expired') {
    const at = new Date(verdict.expired_at * 1_000).toISOString()
    return unauthorized('token_expired', `The token expired at ${at}. Request a new one.`, true)
  }
  if (verdict?.kind !== 'valid') {
    const detail =
      'The Authorization header must be "Bearer <token>" with a token of this installation.'
    return unauthorized('token_invalid', detail, true)
  }
  if (await access.isRevoked(verdict.token.id)) {
    return unauthorized('token_revoked', 'The token was revoked. Request a new one.', true)
  }
  return verdict.token
}

function requireScope(token: TokenPayload | undefined, scope: Scope): void {
  if (token === undefined) {
    throw unauthorized('token_missing', `This path needs a token with the scope "${scope}".`)
  }
  if (token.scopes.includes(scope)) return
  const detail = `The token has the scopes ${token.scopes.join(', ')}.`
  throw new Problem(403, 'scope_missing', `This token lacks the scope "${scope}".`, detail)
}

async function requireRate(limit: RateLimit, key: string): Promise<void> {
  if (await limit(key)) return
  throw new Problem(
    429,
    'too_many_requests',
    'Too many requests.',
    `Wait ${RETRY_AFTER_S} seconds. Larger requests need fewer of them: a page can have ` +
      'thousands of rows, and a dataset has whole days as files.',
    { headers: { 'retry-after': RETRY_AFTER_S } },
  )
}

function unauthorized(code: string, detail: string, had_token = false): Problem {
  const challenge = had_token ? `${CHALLENGE}, error="invalid_token"` : CHALLENGE
  return new Problem(401, code, 'A token is needed.', detail, {
    headers: { 'www-authenticate': challenge },
  })
}

/** Shared caches must not serve this answer to callers without a token. */
function keepPrivate(response: Response): void {
  const value = response.headers.get('cache-control')
  if (value?.startsWith('public') === true) {
    response.headers.set('cache-control', value.replace('public', 'private'))
  }
  response.headers.append('vary', 'authorization')
}
