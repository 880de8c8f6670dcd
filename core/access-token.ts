/**
 * Access tokens: `bt1.<payload>.<signature>`, both base64url; the payload is JSON, the signature
 * HMAC-SHA256 over `bt1.<payload>` with the installation's secret. There is only one algorithm, so
 * a token cannot choose a weaker one. Checking needs no database. Revocation is in guard.ts and
 * bindings.ts.
 */
import { z } from 'zod'
import { OperatorError } from '#core/errors.ts'
import { SECOND_US, type Micros } from '#core/time.ts'

/**
 * read: market data. datasets: signed URLs of dataset files, and the Iceberg catalogue. ops: job
 * runs, their logs, and the report of the validation. live: the live stream.
 */
export const SCOPES = ['read', 'datasets', 'ops', 'live'] as const
export type Scope = (typeof SCOPES)[number]

export const TOKEN_DAYS_MAX = 366
export const TOKEN_SECRET_BYTES_MIN = 32
const TOKEN_CHARS_MAX = 1_000
const VERSION = 'bt1'
/** Clocks differ: `issued_at` may be this far in the future. */
const SKEW_S = 60
const DAY_S = 86_400

const Payload = z.strictObject({
  /** Names the token in the revocation list and in logs. */
  id: z.string().regex(/^[a-z0-9]{16,32}$/),
  scopes: z.array(z.enum(SCOPES)).min(1).max(SCOPES.length),
  /** Seconds since 1970. */
  issued_at: z.number().int().positive(),
  expires_at: z.number().int().positive(),
})

export type TokenPayload = Readonly<z.infer<typeof Payload>>

export type TokenVerdict =
  | { readonly kind: 'valid'; readonly token: TokenPayload }
  /** Foreign, altered or malformed: the caller cannot tell which. */
  | { readonly kind: 'invalid' }
  | { readonly kind: 'expired'; readonly expired_at: number }

export interface Minted {
  readonly text: string
  readonly payload: TokenPayload
}

/**
 * Throws an OperatorError unless `days` is an integer from 1 to TOKEN_DAYS_MAX. `id`: of a token
 * that this one replaces.
 */
export async function mintToken(
  secret: string,
  scopes: readonly Scope[],
  days: number,
  now: Micros,
  id: string = newId(),
): Promise<Minted> {
  if (!Number.isInteger(days) || days < 1 || days > TOKEN_DAYS_MAX) {
    throw new OperatorError('bad_days', `A token cannot be valid for ${days} days.`, {
      hint: `Use a whole number of days from 1 to ${TOKEN_DAYS_MAX}.`,
    })
  }
  const issued_at = Math.floor(now / SECOND_US)
  const payload: TokenPayload = {
    id,
    scopes: SCOPES.filter((scope) => scopes.includes(scope)),
    issued_at,
    expires_at: issued_at + days * DAY_S,
  }
  const signed = `${VERSION}.${toBase64url(new TextEncoder().encode(JSON.stringify(payload)))}`
  const key = await importKey(secret, 'sign')
  const signature = await crypto.subtle.sign('HMAC', key, new TextEncoder().encode(signed))
  return { text: `${signed}.${toBase64url(new Uint8Array(signature))}`, payload }
}

function newId(): string {
  return [...crypto.getRandomValues(new Uint8Array(12))]
    .map((byte) => byte.toString(16).padStart(2, '0'))
    .join('')
}

export type VerifyToken = (text: string, now: Micros) => Promise<TokenVerdict>

/** Accepts tokens of any of the secrets: there are two during a rotation. */
export function createVerifier(secrets: readonly string[]): VerifyToken {
  const keys = Promise.all(secrets.map((secret) => importKey(secret, 'verify')))
  // Every call awaits it. This only keeps a failure before the first call from being unhandled.
  keys.catch(() => undefined)
  return async (text, now) => {
    const parts = splitToken(text)
    if (parts === undefined) return { kind: 'invalid' }
    const { signed, signature, payload_text } = parts
    let is_ours = false
    // crypto.subtle.verify compares in constant time.
    for (const key of await keys) {
      if (await crypto.subtle.verify('HMAC', key, signature, signed)) is_ours = true
    }
    if (!is_ours) return { kind: 'invalid' }
    const token = readPayload(payload_text)
    const now_s = now / SECOND_US
    if (token === undefined || token.issued_at > now_s + SKEW_S) return { kind: 'invalid' }
    if (token.expires_at - token.issued_at > TOKEN_DAYS_MAX * DAY_S) return { kind: 'invalid' }
    if (token.expires_at <= now_s) return { kind: 'expired', expired_at: token.expires_at }
    return { kind: 'valid', token }
  }
}

interface TokenParts {
  readonly signed: Uint8Array<ArrayBuffer>
  readonly signature: Uint8Array<ArrayBuffer>
  readonly payload_text: string
}

function splitToken(text: string): TokenParts | undefined {
  if (text.length > TOKEN_CHARS_MAX) return undefined
  const [version, payload, signature, ...rest] = text.split('.')
  if (version !== VERSION || payload === undefined || signature === undefined) return undefined
  if (rest.length > 0) return undefined
  const payload_bytes = fromBase64url(payload)
  const signature_bytes = fromBase64url(signature)
  if (payload_bytes === undefined || signature_bytes === undefined) return undefined
  return {
    signed: Uint8Array.from(new TextEncoder().encode(`${version}.${payload}`)),
    signature: signature_bytes,
    payload_text: new TextDecoder().decode(payload_bytes),
  }
}

function readPayload(text: string): TokenPayload | undefined {
  try {
    return Payload.safeParse(JSON.parse(text)).data
  } catch {
    return undefined
  }
}

/** The types of Node and of the Workers runtime have different names for a key. */
type Key = Awaited<ReturnType<typeof crypto.subtle.importKey>>

function importKey(secret: string, usage: 'sign' | 'verify'): Promise<Key> {
  const bytes = new TextEncoder().encode(secret)
  if (bytes.length < TOKEN_SECRET_BYTES_MIN) {
    throw new OperatorError('bad_secret', 'The token secret is too short.', {
      hint: `Use at least ${TOKEN_SECRET_BYTES_MIN} bytes: openssl rand -base64 32`,
    })
  }
  return crypto.subtle.importKey('raw', bytes, { name: 'HMAC', hash: 'SHA-256' }, false, [usage])
}

function toBase64url(bytes: Uint8Array): string {
  return btoa(String.fromCharCode(...bytes))
    .replaceAll('+', '-')
    .replaceAll('/', '_')
    .replaceAll('=', '')
}

/** Undefined if the text is not the canonical base64url of its bytes. */
function fromBase64url(text: string): Uint8Array<ArrayBuffer> | undefined {
  if (!/^[\w-]+$/.test(text)) return undefined
  try {
    const binary = atob(text.replaceAll('-', '+').replaceAll('_', '/'))
    const bytes = Uint8Array.from(binary, (char) => char.charCodeAt(0))
    return toBase64url(bytes) === text ? bytes : undefined
  } catch {
    return undefined
  }
}
