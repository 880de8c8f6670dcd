/** Signs URLs of single objects (SigV4 in the query), for callers without credentials. */
import { toIso, micros, SECOND_US, type Micros } from '#core/time.ts'
import { createClient, objectUrl } from './object-store.ts'
import type { StoreConfig } from './store-config.ts'

export interface SignedUrl {
  readonly url: string
  readonly expires_at: Micros
}

/** A signature is valid for one method only, so a HEAD needs its own URL. */
export type SignUrl = (key: string, method: 'GET' | 'HEAD', now: Micros) => Promise<SignedUrl>

export function createUrlSigner(config: StoreConfig, ttl_s: number): SignUrl {
  const aws = createClient(config)
  return async (key, method, now) => {
    // SigV4 times are whole seconds.
    const signed_at = micros(Math.floor(now / SECOND_US) * SECOND_US)
    const url = objectUrl(config, key)
    url.searchParams.set('X-Amz-Expires', String(ttl_s))
    const datetime = toIso(signed_at).replaceAll(/[-:]|\.\d+/g, '')
    const request = await aws.sign(url.href, { method, aws: { signQuery: true, datetime } })
    return { url: request.url, expires_at: micros(signed_at + ttl_s * SECOND_US) }
  }
}
