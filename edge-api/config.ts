/**
 * The worker's bindings, checked once. All problems are reported together, by name only: most of
 * the values are secrets.
 */
import { z } from 'zod'
import { OperatorError } from '#core/errors.ts'

const httpUrl = z
  .url({ protocol: /^https?$/, error: 'must be an http or https URL' })
  .transform((url) => url.replace(/\/+$/, ''))
const filled = z.string({ error: 'is missing' }).min(1, { error: 'is empty' })
const DAY_S = 86_400

const Bindings = z.object({
  /** postgres://user:password@host/database of a login in booktape_reader. */
  DATABASE_URL: z.url({ protocol: /^postgres(ql)?$/, error: 'must be a postgres URL' }),
  /** Queries go to `<url>/sql`, in the format of Neon's driver. */
  GATEWAY_URL: httpUrl,
  GATEWAY_SECRET: filled,
  /** Path style: objects are `<endpoint>/<bucket>/<key>`. */
  S3_ENDPOINT: httpUrl,
  S3_BUCKET: filled.regex(/^[a-z0-9][a-z0-9.-]{1,62}$/, { error: 'must be a bucket name' }),
  S3_REGION: filled,
  S3_ACCESS_KEY_ID: filled,
  S3_SECRET_ACCESS_KEY: filled,
  /** Life of a signed URL; SigV4 allows at most seven days. */
  SIGNED_URL_TTL_S: z.coerce
    .number({ error: 'must be a whole number of seconds' })
    .int({ error: 'must be a whole number of seconds' })
    .min(1, { error: 'must be at least 1' })
    .max(7 * DAY_S, { error: `must be at most ${7 * DAY_S}` })
    .default(3_600),
})

export interface Config {
  readonly database_url: string
  readonly gateway_url: string
  readonly gateway_secret: string
  readonly store: StoreConfig
  readonly signed_url_ttl_s: number
}

export interface StoreConfig {
  readonly endpoint: string
  readonly bucket: string
  readonly region: string
  readonly access_key_id: string
  readonly secret_access_key: string
}

export function parseConfig(env: unknown): Config {
  const result = Bindings.safeParse(env)
  if (!result.success) {
    const problems = result.error.issues.map((issue) => `${issue.path.join('.')} ${issue.message}`)
    throw new OperatorError(
      'bad_config',
      `The worker's bindings are not usable: ${problems.join('; ')}.`,
      {
        hint: 'Set them as vars and secrets of the worker.',
      },
    )
  }
  const b = result.data
  return Object.freeze({
    database_url: b.DATABASE_URL,
    gateway_url: b.GATEWAY_URL,
    gateway_secret: b.GATEWAY_SECRET,
    store: Object.freeze({
      endpoint: b.S3_ENDPOINT,
      bucket: b.S3_BUCKET,
      region: b.S3_REGION,
      access_key_id: b.S3_ACCESS_KEY_ID,
      secret_access_key: b.S3_SECRET_ACCESS_KEY,
    }),
    signed_url_ttl_s: b.SIGNED_URL_TTL_S,
  })
}
