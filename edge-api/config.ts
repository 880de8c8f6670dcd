/**
 * The worker's bindings, checked once. Reports all problems together, by name only: most of the
 * values are secrets.
 */
import { z } from 'zod'
import { objectStoreOf, readEnvironment } from '#core/environment.ts'
import { SCOPES, TOKEN_SECRET_BYTES_MIN, type Scope } from '#core/access-token.ts'
import type { StoreConfig } from './store/store-config.ts'

const httpUrl = z
  .url({ protocol: /^https?$/, error: 'must be an http or https URL' })
  .transform((url) => url.replace(/\/+$/, ''))
const filled = z.string({ error: 'is missing' }).min(1, { error: 'is empty' })
const DAY_S = 86_400
const isLong = (text: string): boolean =>
  new TextEncoder().encode(text).length >= TOKEN_SECRET_BYTES_MIN
const TOO_SHORT = `must have at least ${TOKEN_SECRET_BYTES_MIN} bytes`

/** Parts of a comma-separated list. */
const list = (text: string): string[] => text.split(',').map((part) => part.trim())

const SCOPE_RULE =
  'must be false, true (the same as read), or a comma-separated list of ' + SCOPES.join(', ')
const publicScopes = z
  .string()
  .transform((text) => (text === 'false' ? [] : text === 'true' ? ['read'] : list(text)))
  .pipe(
    z.array(
      z.enum(SCOPES, { error: ({ input }) => `${SCOPE_RULE}; '${String(input)}' is not a scope` }),
    ),
  )

const ORIGIN_RULE = 'must be *, or a comma-separated list of origins like https://example.com'
const corsOrigins = z
  .string()
  .transform(list)
  .refine((origins) => origins.every((one) => one === '*' || isOrigin(one)), { error: ORIGIN_RULE })

const MS_RULE = 'must be a whole number of milliseconds, at least 1'

const Bindings = z.object({
  /** postgres://user:password@host/database; the login is a member of booktape_reader. */
  DATABASE_URL: z.url({ protocol: /^postgres(ql)?$/, error: 'must be a postgres URL' }),
  /** Queries are sent to `<url>/sql`, in the format of Neon's driver. */
  GATEWAY_URL: httpUrl,
  /** Not needed if GATEWAY_URL is Neon: there the connection string is enough. */
  GATEWAY_SECRET: filled.optional(),
  /** Path-style addressing: `<endpoint>/<bucket>/<key>`. */
  S3_ENDPOINT: httpUrl,
  S3_BUCKET: filled.regex(/^[a-z0-9][a-z0-9.-]{1,62}$/, { error: 'must be a bucket name' }),
  S3_REGION: filled,
  S3_ACCESS_KEY_ID: filled,
  S3_SECRET_ACCESS_KEY: filled,
  /** Lifetime of a signed URL; SigV4 allows at most seven days. */
  SIGNED_URL_TTL_S: z.coerce
    .number({ error: 'must be a whole number of seconds' })
    .int({ error: 'must be a whole number of seconds' })
    .min(1, { error: 'must be at least 1' })
    .max(7 * DAY_S, { error: `must be at most ${7 * DAY_S}` })
    .default(3_600),
  /** Signs access tokens. Tokens of the previous secret stay valid during a rotation. */
  TOKEN_SECRET: filled.refine(isLong, { error: TOO_SHORT }),
  TOKEN_SECRET_PREVIOUS: z
    .string()
    .refine((text) => text === '' || isLong(text), { error: TOO_SHORT })
    .default(''),
  /** Scopes that need no token. */
  PUBLIC_READ: publicScopes.default([]),
  /** The live server (ingestor/live). Empty: there is no live stream. */
  LIVE_URL: z.union([z.literal(''), httpUrl]).default(''),
  /** The cluster engine (jobs/clusters). Empty: there are no clusters. */
  CLUSTERS_URL: z.union([z.literal(''), httpUrl]).default(''),
  /** Of the engine. */
  CLUSTERS_SECRET: z.string().default(''),
  /** Requests that take as long or longer are logged. */
  SLOW_REQUEST_MS: z.coerce
    .number({ error: MS_RULE })
    .int({ error: MS_RULE })
    .min(1, { error: MS_RULE })
    .default(2_000),
  /** Browser pages of these origins may read the answers. */
  CORS_ORIGINS: corsOrigins.default(['*']),
})

export interface Config {
  readonly database_url: string
  readonly gateway_url: string
  readonly gateway_secret: string | undefined
  readonly store: StoreConfig
  readonly signed_url_ttl_s: number
  /** The current secret first. */
  readonly token_secrets: readonly string[]
  readonly public_scopes: ReadonlySet<Scope>
  readonly cors_origins: readonly string[]
  readonly live_url: string | undefined
  /** Undefined: there is no cluster engine. */
  readonly clusters: { readonly clusters_url: string; readonly secret: string } | undefined
  readonly slow_request_ms: number
}

export function parseConfig(env: unknown): Config {
  const subject = "The worker's bindings are not usable"
  const b = readEnvironment(Bindings, env, subject, 'Set them as vars and secrets of the worker.')
  return Object.freeze({
    database_url: b.DATABASE_URL,
    gateway_url: b.GATEWAY_URL,
    gateway_secret: b.GATEWAY_SECRET,
    store: objectStoreOf(b),
    signed_url_ttl_s: b.SIGNED_URL_TTL_S,
    token_secrets: [b.TOKEN_SECRET, b.TOKEN_SECRET_PREVIOUS].filter((one) => one !== ''),
    public_scopes: new Set(b.PUBLIC_READ),
    cors_origins: b.CORS_ORIGINS,
    live_url: b.LIVE_URL === '' ? undefined : b.LIVE_URL,
    clusters:
      b.CLUSTERS_URL === ''
        ? undefined
        : Object.freeze({ clusters_url: b.CLUSTERS_URL, secret: b.CLUSTERS_SECRET }),
    slow_request_ms: b.SLOW_REQUEST_MS,
  })
}

function isOrigin(text: string): boolean {
  return URL.canParse(text) && new URL(text).origin === text
}
