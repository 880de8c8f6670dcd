/**
 * The access bindings that are objects: a KV namespace of revoked tokens, and two rate limits. The
 * worker refuses to serve if one is missing, because nobody would notice a missing limit.
 */
import { OperatorError } from '#core/errors.ts'
import { SECOND_US, type Micros } from '#core/time.ts'
import type { RateLimit } from './guard.ts'

/** The part of Cloudflare's KV that is used. */
export interface RevokedTokens {
  get(token_id: string, options: { readonly cacheTtl: number }): Promise<string | null>
}

/** The part of Cloudflare's rate limit that is used. */
interface Limiter {
  limit(options: { readonly key: string }): Promise<{ readonly success: boolean }>
}

export interface AccessBindings {
  readonly revoked_tokens: RevokedTokens
  readonly limitToken: RateLimit
  readonly limitAddress: RateLimit
}

/** Throws an OperatorError that names every missing binding. */
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

/** Cloudflare's minimum: an edge location may accept a revoked token for this long. */
const KV_CACHE_S = 30
/** How long an isolate caches the result of a lookup. */
const REMEMBERED_US = 5 * SECOND_US
const REMEMBERED_COUNT_MAX = 10_000

/** True for a revoked token. A revocation reaches every edge location within a minute. */
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

/** If the list cannot be read the request fails, so that a revoked token is never accepted. */
async function read(tokens: RevokedTokens, token_id: string): Promise<string | null> {
  try {
    return await tokens.get(token_id, { cacheTtl: KV_CACHE_S })
  } catch (cause) {
    throw new OperatorError(
      'revocations_unreachable',
      'The list of revoked tokens cannot be read.',
      { hint: 'Try again in a few seconds.', retryable: true, cause },
    )
  }
}

/**
 * Requests that one call of the binding covers. Each call goes to another process and costs several
 * times as much as a cached answer. The limits in wrangler.jsonc count calls, not requests.
 */
const REQUESTS_PER_CALL = 10

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
    left.set(key, REQUESTS_PER_CALL - 1)
    return true
  }
}

function hasMethod(value: unknown, name: string): boolean {
  return typeof (value as Record<string, unknown> | undefined)?.[name] === 'function'
}
