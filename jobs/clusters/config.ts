/** The cluster engine's environment, checked once; all problems are reported together. */
import { z } from 'zod'
import {
  type Env,
  filled,
  list,
  oneOf,
  readEnvironment,
  SERVICES,
  urlOf,
  whole,
} from '#core/environment.ts'
import {
  hasMetricsToken,
  METRICS_TOKEN_RULE,
  METRICS_VARIABLES,
  type MetricsDoorConfig,
  metricsDoorConfig,
} from '#core/node/door/metrics-door.ts'
import type { ObjectStoreConfig } from '#core/node/object-store.ts'
import { isSymbolName } from '#core/symbols.ts'

export interface ClustersConfig {
  readonly database_url: string
  readonly object_store: ObjectStoreConfig
  readonly host: string
  readonly port: number
  readonly secret: string
  /** Undefined: bars are kept in memory only. */
  readonly redis_url: string | undefined
  /** Symbols that are kept up without a reader. */
  readonly names: readonly string[] | 'all'
  readonly watch_s: number
  readonly cache_bytes_max: number
  readonly cache_s: number
  readonly every_s: number
  readonly wait_ms: number
  readonly requests_max: number
  /** Undefined: metrics are not served. */
  readonly metrics: MetricsDoorConfig | undefined
  readonly log_level: string
}

const MIB = 1024 * 1024
const NAMES_MAX = 10_000
const NAMES_RULE = `must be all, or a comma-separated list of at most ${NAMES_MAX} symbols such as BTCUSDT`

const Names = z
  .string()
  .default('')
  .transform((text, context): readonly string[] | 'all' => {
    if (text === 'all') return text
    const names = list(text)
    if (names.length <= NAMES_MAX && names.every(isSymbolName)) return names
    context.addIssue({ code: 'custom', message: NAMES_RULE })
    return z.NEVER
  })

const { WORK_DIR: _unused, ...STORES } = SERVICES

const Environment = z
  .object({
    ...STORES,
    CLUSTERS_HOST: filled.default('127.0.0.1'),
    CLUSTERS_PORT: whole({ standard: 8_096, min: 0, max: 65_535, what: 'a port' }),
    CLUSTERS_SECRET: z
      .string({ error: 'is missing' })
      .min(16, { error: 'must have at least 16 characters' }),
    CLUSTERS_SYMBOLS: Names,
    CLUSTERS_WATCH_S: whole({ standard: 300, min: 10, max: 86_400, what: 'whole seconds' }),
    CLUSTERS_EVERY_S: whole({ standard: 5, min: 1, max: 600, what: 'whole seconds' }),
    CLUSTERS_WAIT_S: whole({ standard: 25, min: 1, max: 300, what: 'whole seconds' }),
    CLUSTERS_CACHE_MB: whole({ standard: 64, min: 1, max: 65_536, what: 'whole megabytes' }),
    CLUSTERS_CACHE_S: whole({ standard: 3_600, min: 1, max: 604_800, what: 'whole seconds' }),
    CLUSTERS_REQUESTS_MAX: whole({ standard: 64, min: 1, max: 10_000, what: 'requests' }),
    REDIS_URL: z.union([z.literal(''), urlOf('redis', 'rediss')]).default(''),
    LOG_LEVEL: oneOf(['debug', 'info', 'warn', 'error'], 'info'),
    ...METRICS_VARIABLES,
  })
  .refine(hasMetricsToken, METRICS_TOKEN_RULE)

/** Throws OperatorError `bad_config`. */
export function parseConfig(env: Env): ClustersConfig {
  const hint = '.env.example lists every variable with its unit and default.'
  const e = readEnvironment(Environment, env, 'Settings of the cluster engine', hint)
  return Object.freeze({
    database_url: e.DATABASE_URL,
    object_store: Object.freeze({
      endpoint: e.S3_ENDPOINT,
      bucket: e.S3_BUCKET,
      region: e.S3_REGION,
      access_key_id: e.S3_ACCESS_KEY_ID,
      secret_access_key: e.S3_SECRET_ACCESS_KEY,
    }),
    host: e.CLUSTERS_HOST,
    port: e.CLUSTERS_PORT,
    secret: e.CLUSTERS_SECRET,
    redis_url: e.REDIS_URL === '' ? undefined : e.REDIS_URL,
    names: e.CLUSTERS_SYMBOLS,
    watch_s: e.CLUSTERS_WATCH_S,
    cache_bytes_max: e.CLUSTERS_CACHE_MB * MIB,
    cache_s: e.CLUSTERS_CACHE_S,
    every_s: e.CLUSTERS_EVERY_S,
    wait_ms: e.CLUSTERS_WAIT_S * 1_000,
    requests_max: e.CLUSTERS_REQUESTS_MAX,
    metrics: metricsDoorConfig(e),
    log_level: e.LOG_LEVEL,
  })
}
