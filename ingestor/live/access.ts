/**
 * Checks who may connect. A caller needs a token of the edge API with the scope `live`, unless the
 * server is public. A web page needs a listed origin; programs send no Origin header.
 */
import type { IncomingMessage } from 'node:http'
import { createVerifier } from '#core/access-token.ts'
import { Problem } from '#core/problem.ts'
import type { Micros } from '#core/time.ts'
import type { LiveConfig } from './config.ts'

/** Admits a request and returns its token's id, or undefined without a token. Throws Problem. */
export type Admit = (request: IncomingMessage) => Promise<string | undefined>

/**
 * Browsers cannot set a header for a WebSocket, so the token may be a subprotocol: `token.TOKEN`.
 */
export const PROTOCOL = 'booktape.live.v1'
const TOKEN_PROTOCOL = 'token.'

export function createAdmission(
  { token_secrets, revoked_tokens, origins }: LiveConfig,
  now: () => Micros,
): Admit {
  const verify = token_secrets === undefined ? undefined : createVerifier(token_secrets)
  return async (request) => {
    requireOrigin(request.headers, origins)
    const text = tokenOf(request)
    if (verify === undefined) return undefined
    if (text === undefined) throw unauthorized('token_missing', 'Send Authorization: Bearer TOKEN.')
    const verdict = await verify(text, now())
    if (verdict.kind === 'expired') throw unauthorized('token_expired', 'The token has expired.')
    if (verdict.kind !== 'valid') throw unauthorized('token_invalid', 'The token is not valid.')
    const { token } = verdict
    if (revoked_tokens.has(token.id)) throw unauthorized('token_revoked', 'The token was revoked.')
    if (token.scopes.includes('live')) return token.id
    const detail = `The token has the scopes ${token.scopes.join(', ')}.`
    throw new Problem(403, 'scope_missing', 'This token lacks the scope "live".', detail)
  }
}

/** The subprotocols that the client offers. */
export function protocolsOf({ headers }: IncomingMessage): readonly string[] {
  return (headers['sec-websocket-protocol'] ?? '').split(',').map((part) => part.trim())
}

function tokenOf(request: IncomingMessage): string | undefined {
  const { authorization } = request.headers
  if (authorization !== undefined) return /^Bearer +(\S+)$/i.exec(authorization)?.[1] ?? ''
  const offered = protocolsOf(request).find((name) => name.startsWith(TOKEN_PROTOCOL))
  return offered?.slice(TOKEN_PROTOCOL.length)
}

function requireOrigin(
  { origin, host }: IncomingMessage['headers'],
  origins: readonly string[],
): void {
  if (origin === undefined || origins.includes('*') || origins.includes(origin)) return
  if (URL.canParse(origin) && new URL(origin).host === host) return
  const detail = 'LIVE_ORIGINS lists the origins whose pages may connect.'
  throw new Problem(403, 'origin_refused', 'Pages of this origin may not connect.', detail)
}

function unauthorized(code: string, detail: string): Problem {
  const headers = { 'www-authenticate': 'Bearer realm="booktape"' }
  return new Problem(401, code, 'A token is needed.', detail, { headers })
}
