/**
 * The bindings of access that are no text: a KV namespace of tokens that were taken back, and two
 * rate limits. Where one is missing the worker does not serve: a limit that nobody set up would
 * be one that nobody misses.
 */
import { OperatorError } from '#core/errors.ts'
import { SECOND_US, type Micros } from '#core/time.ts'
import type { RateLimit } from './guard.ts'

/** What of Cloudflare's KV is needed. */
export interface RevokedTokens {
  get(token_id: string, options: { readonly cacheTtl: number }): Promise<string | null>
}

/** What of Cloudflare's rate limit is needed. */
interface Limiter {
  limit(options: { readonly key: string }): Promise<{ readonly success: boolean }>
}

export interface AccessBindings {
  readonly revoked_tokens: RevokedTokens
  readonly limitToken: RateLimit
  readonly limitAddress: RateLimit
}

/** An OperatorError names every one that is missing. */
export function accessBindings(env: unknown): AccessBindings {
  const bindings = env as Readonly<Record<string, unknown>>
  const missing = [
    ...(hasMethod(bindings['REVOKED_TOKENS'], 'get') ? [] : ['REVOKED_TOKENS (a KV namespace)']),
    ...['LIMIT_TOKEN', 'LIMIT_ADDRESS'].flatMap((name) =>
      hasMethod(bindings[name], 'limit') ? [] : [`${name} (a rate limit)`],
    ),
  ]
  if (missing.length > 0) {
    throw new OperatorError('bad_config', `The worker lacks bindings: ${missing.join(', ')}.`, {
      hint: 'wrangler.jsonc shows how they are declared.',
    })
  }
  return {
    revoked_tokens: bindings['REVOKED_TOKENS'] as RevokedTokens,
    limitToken: rateLimit(bindings['LIMIT_TOKEN'] as Limiter),
    limitAddress: rateLimit(bindings['LIMIT_ADDRESS'] as Limiter),
  }
}

/** The least that Cloudflare allows: so long after `token revoke` a place may still not know. */
const KV_CACHE_S = 30
/** So long an isolate remembers what it was told. */
const REMEMBERED_US = 5 * SECOND_US
const REMEMBERED_COUNT_MAX = 10_000

/** True for a token that was taken back: within a minute everywhere. */
export function createRevocations(
  tokens: RevokedTokens,
  now: () => Micros,
): (token_id: string) => Promise<boolean> {
  const remembered = new Map<string, { readonly is_revoked: boolean; readonly until: number }>()
  return async (token_id) => {
    const known = remembered.get(token_id)
    if (known !== undefined && now() < known.until) return known.is_revoked
    const is_revoked = (await read(tokens, token_id)) !== null
    if (remembered.size >= REMEMBERED_COUNT_MAX) remembered.clear()
    remembered.set(token_id, { is_revoked, until: now() + REMEMBERED_US })
    return is_revoked
  }
}

/** Not knowing is not allowing. */
async function read(tokens: RevokedTokens, token_id: string): Promise<string | null> {
  try {
    return await tokens.get(token_id, { cacheTtl: KV_CACHE_S })
  } catch (cause) {
    throw new OperatorError(
      'revocations_unreachable',
      'Whether the token was taken back cannot be looked up.',
      { hint: 'Ask again in some seconds.', retryable: true, cause },
    )
  }
}

/**
 * Requests that one "yes" stands for. The binding is a question to another process: asked for
 * every request it would cost several times what a cached answer does. The limits in
 * wrangler.jsonc are in such questions.
 */
const REQUESTS_PER_QUESTION = 10

function rateLimit(limiter: Limiter): RateLimit {
  const left = new Map<string, number>()
  return async (key) => {
    const count = left.get(key) ?? 0
    if (count > 0) {
      left.set(key, count - 1)
      return true
    }
    const { success } = await limiter.limit({ key })
    if (!success) return false
    if (left.size >= REMEMBERED_COUNT_MAX) left.clear()
    left.set(key, REQUESTS_PER_QUESTION - 1)
    return true
  }
}

function hasMethod(value: unknown, name: string): boolean {
  return typeof (value as Record<string, unknown> | undefined)?.[name] === 'function'
}
