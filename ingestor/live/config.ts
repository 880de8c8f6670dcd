/** The live server's environment, checked once; all problems are reported together. */
import { z } from 'zod'
import { TOKEN_SECRET_BYTES_MIN } from '#core/access-token.ts'
import { filled, readEnvironment, urlOf, whole } from '#core/environment.ts'
import {
  hasMetricsToken,
  METRICS_TOKEN_RULE,
  METRICS_VARIABLES,
  type MetricsDoorConfig,
  metricsDoorConfig,
} from '#core/node/door/metrics-door.ts'
import type { ObjectStoreConfig } from '#core/node/object-store.ts'
import type { EngineConfig } from './clusters/engine.ts'
import type { StreamChoice } from '../exchanges/adapter.ts'
import { CHANNELS } from '#core/market.ts'
import { DEPTH_STREAMS } from '../exchanges/depth-choice.ts'

export interface FollowedTape {
  readonly ingestor_id: string
  readonly dir: string
}

export interface LiveLimits {
  readonly clients_max: number
  readonly clients_per_token_max: number
  readonly subscriptions_max: number
  /** Messages from a client in ten seconds. */
  readonly messages_max: number
  /** Maximum bytes that wait for a client, including those in its socket. */
  readonly queue_bytes_max: number
  /** The same of all clients that wait; each may have an equal part of it. */
  readonly queues_bytes_max: number
  readonly resume_us_max: number
  /** Kinds of footprint bars that are followed at once. */
  readonly cluster_views_max: number
}

export interface LiveConfig {
  readonly database_url: string
  readonly tapes: readonly FollowedTape[]
  readonly choice: StreamChoice
  readonly host: string
  readonly port: number
  /** Undefined: metrics are not served. */
  readonly metrics: MetricsDoorConfig | undefined
  /** Undefined: no token is needed. */
  readonly token_secrets: readonly string[] | undefined
  readonly revoked_tokens: ReadonlySet<string>
  /** Origins whose pages may connect; * means all. */
  readonly origins: readonly string[]
  readonly memory_bytes_max: number
  /** Messages that are no longer in memory, but whose place on the tape is remembered. */
  readonly tape_records_max: number
  readonly warm_us: number
  readonly heartbeat_ms: number
  readonly drain_ms: number
  readonly limits: LiveLimits
  /** If undefined, clients cannot resume from rows that have left Postgres. */
  readonly store: ObjectStoreConfig | undefined
  /** Undefined: there is no channel of clusters. */
  readonly clusters: EngineConfig | undefined
  readonly log_level: string
}

const MIB = 1024 * 1024
const S_US = 1_000_000
const number = (standard: number, min: number, max: number, what: string) =>
  whole({ standard, min, max, what })
const list = (text: string): readonly string[] =>
  text
    .split(',')
    .map((part) => part.trim())
    .filter((part) => part !== '')

const TAPES_RULE = 'must be a comma list of INGESTOR_ID=DIRECTORY, each id once'
const Tapes = z
  .string()
  .default('local=.data/tape')
  .transform((text, context): readonly FollowedTape[] => {
    const parts = list(text).map((part) => /^([\w.-]{1,64})=(.+)$/.exec(part))
    const tapes = parts.flatMap((part) =>
      part === null ? [] : [{ ingestor_id: part[1]!, dir: part[2]! }],
    )
    const ids = new Set(tapes.map(({ ingestor_id }) => ingestor_id))
    if (tapes.length > 0 && tapes.length === parts.length && ids.size === tapes.length) return tapes
    context.addIssue({ code: 'custom', message: TAPES_RULE })
    return z.NEVER
  })

const isOrigin = (text: string): boolean =>
  text === '*' || (URL.canParse(text) && new URL(text).origin === text)
const isSecret = (text: string): boolean =>
  text === '' || Buffer.byteLength(text) >= TOKEN_SECRET_BYTES_MIN
const secret = z.string().refine(isSecret, {
  error: `must have at least ${TOKEN_SECRET_BYTES_MIN} bytes`,
})
const S3_KEYS = [
  'S3_ENDPOINT',
  'S3_BUCKET',
  'S3_REGION',
  'S3_ACCESS_KEY_ID',
  'S3_SECRET_ACCESS_KEY',
] as const

/** Empty counts as missing. */
const orNothing = <S extends z.ZodType>(schema: S) =>
  z.preprocess((text) => (text === '' ? undefined : text), schema.optional())

const Environment = z
  .object({
    DATABASE_URL: urlOf('postgres', 'postgresql'),
    LIVE_TAPES: Tapes,
    TRADE_STREAM: z
      .enum(['aggTrade', 'trade'], { error: 'must be aggTrade or trade' })
      .default('aggTrade'),
    INCLUDE_COIN_M: z.enum(['0', '1'], { error: 'must be 0 or 1' }).default('0'),
    LIVE_HOST: filled.default('127.0.0.1'),
    LIVE_PORT: number(8_094, 0, 65_535, 'a port'),
    ...METRICS_VARIABLES,
    LIVE_PUBLIC: z.enum(['true', 'false'], { error: 'must be true or false' }).default('false'),
    TOKEN_SECRET: secret.default(''),
    TOKEN_SECRET_PREVIOUS: secret.default(''),
    REVOKED_TOKENS: z.string().default('').transform(list),
    LIVE_ORIGINS: z
      .string()
      .default('')
      .transform(list)
      .refine((origins) => origins.every(isOrigin), {
        error: 'must be *, or a comma list of origins like https://example.com',
      }),
    LIVE_MEMORY_MB: number(64, 1, 32_767, 'whole megabytes'),
    LIVE_TAPE_RECORDS: number(300_000, 0, 100_000_000, 'messages'),
    LIVE_WARM_S: number(30, 0, 3_600, 'whole seconds'),
    LIVE_HEARTBEAT_S: number(5, 1, 300, 'whole seconds'),
    LIVE_DRAIN_S: number(5, 0, 60, 'whole seconds'),
    LIVE_CLIENTS_MAX: number(2_000, 1, 100_000, 'clients'),
    LIVE_CLIENTS_PER_TOKEN_MAX: number(200, 1, 100_000, 'clients'),
    LIVE_SUBSCRIPTIONS_MAX: number(200, 1, 10_000, 'subscriptions'),
    LIVE_MESSAGES_MAX: number(500, 1, 10_000, 'messages in ten seconds'),
    LIVE_QUEUE_BYTES_MAX: number(512 * 1024, 64 * 1024, 16 * MIB, 'whole bytes'),
    LIVE_QUEUES_MB: number(64, 1, 65_536, 'whole megabytes'),
    LIVE_CLUSTERS_MAX: number(50, 0, 10_000, 'kinds of bars'),
    CLUSTERS_URL: orNothing(urlOf('http', 'https')),
    CLUSTERS_SECRET: orNothing(filled),
    LIVE_RESUME_H: number(24, 1, 24 * 366, 'whole hours'),
    S3_ENDPOINT: orNothing(urlOf('http', 'https')),
    S3_BUCKET: orNothing(filled),
    S3_REGION: orNothing(filled),
    S3_ACCESS_KEY_ID: orNothing(filled),
    S3_SECRET_ACCESS_KEY: orNothing(filled),
    LOG_LEVEL: z
      .enum(['debug', 'info', 'warn', 'error'], { error: 'must be debug, info, warn or error' })
      .default('info'),
  })
  .refine(hasMetricsToken, METRICS_TOKEN_RULE)
  .superRefine((env, context) => {
    const refuse = (path: string, message: string): void =>
      context.addIssue({ code: 'custom', path: [path], message })
    if (env.LIVE_PUBLIC === 'false' && env.TOKEN_SECRET === '') {
      refuse('TOKEN_SECRET', 'is missing: set it to that of the edge worker, or LIVE_PUBLIC=true')
    }
    if ((env.CLUSTERS_URL === undefined) !== (env.CLUSTERS_SECRET === undefined)) {
      const name = env.CLUSTERS_URL === undefined ? 'CLUSTERS_URL' : 'CLUSTERS_SECRET'
      refuse(name, 'is missing: set CLUSTERS_URL and CLUSTERS_SECRET, or neither')
    }
    const missing = S3_KEYS.filter((key) => env[key] === undefined)
    if (missing.length > 0 && missing.length < S3_KEYS.length) {
      for (const key of missing) refuse(key, 'is missing: set all of the object store, or nothing')
    }
  })

/** Throws OperatorError `bad_config`. */
export function parseConfig(env: Readonly<Record<string, string | undefined>>): LiveConfig {
  const hint = '.env.example lists every variable with its unit and default.'
  const e = readEnvironment(Environment, env, "The live server's environment is not usable", hint)
  return Object.freeze({
    database_url: e.DATABASE_URL,
    tapes: e.LIVE_TAPES,
    choice: Object.freeze({
      channels: CHANNELS,
      trade_stream: e.TRADE_STREAM,
      depth: { symbols: 'all' as const, streams: DEPTH_STREAMS, interval_ms: 0 },
      include_coin_m: e.INCLUDE_COIN_M === '1',
    }),
    host: e.LIVE_HOST,
    port: e.LIVE_PORT,
    metrics: metricsDoorConfig(e),
    token_secrets:
      e.LIVE_PUBLIC === 'true'
        ? undefined
        : [e.TOKEN_SECRET, e.TOKEN_SECRET_PREVIOUS].filter((one) => one !== ''),
    revoked_tokens: new Set(e.REVOKED_TOKENS),
    origins: e.LIVE_ORIGINS,
    memory_bytes_max: e.LIVE_MEMORY_MB * MIB,
    tape_records_max: e.LIVE_TAPE_RECORDS,
    warm_us: e.LIVE_WARM_S * S_US,
    heartbeat_ms: e.LIVE_HEARTBEAT_S * 1_000,
    drain_ms: e.LIVE_DRAIN_S * 1_000,
    limits: Object.freeze({
      clients_max: e.LIVE_CLIENTS_MAX,
      clients_per_token_max: e.LIVE_CLIENTS_PER_TOKEN_MAX,
      subscriptions_max: e.LIVE_SUBSCRIPTIONS_MAX,
      messages_max: e.LIVE_MESSAGES_MAX,
      queue_bytes_max: e.LIVE_QUEUE_BYTES_MAX,
      queues_bytes_max: e.LIVE_QUEUES_MB * MIB,
      resume_us_max: e.LIVE_RESUME_H * 3_600 * S_US,
      cluster_views_max: e.LIVE_CLUSTERS_MAX,
    }),
    store:
      e.S3_ENDPOINT === undefined
        ? undefined
        : Object.freeze({
            endpoint: e.S3_ENDPOINT,
            bucket: e.S3_BUCKET!,
            region: e.S3_REGION!,
            access_key_id: e.S3_ACCESS_KEY_ID!,
            secret_access_key: e.S3_SECRET_ACCESS_KEY!,
          }),
    clusters:
      e.CLUSTERS_URL === undefined
        ? undefined
        : Object.freeze({ clusters_url: e.CLUSTERS_URL, secret: e.CLUSTERS_SECRET! }),
    log_level: e.LOG_LEVEL,
  })
}
