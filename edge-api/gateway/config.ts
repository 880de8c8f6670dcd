/** The gateway's environment, checked once. Reports all problems together, without the values. */
import { z } from 'zod'
import { type Env, oneOf, readEnvironment, urlOf, whole } from '#core/environment.ts'
import {
  hasMetricsToken,
  METRICS_TOKEN_RULE,
  METRICS_VARIABLES,
  type MetricsDoorConfig,
  metricsDoorConfig,
} from '#core/node/door/metrics-door.ts'

const Environment = z
  .object({
    HOST: z.string().min(1, { error: 'is empty' }).default('127.0.0.1'),
    PORT: whole({ min: 0, max: 65_535, standard: 8_090 }),
    /** The only login and database that queries may name; a member of booktape_reader. */
    DATABASE_URL: urlOf('postgres', 'postgresql'),
    GATEWAY_SECRET: z
      .string({ error: 'is missing' })
      .min(16, { error: 'must have at least 16 characters' }),
    /** PEM files. Without them, a proxy in front of the gateway must terminate TLS. */
    TLS_CERT_FILE: z.string().default(''),
    TLS_KEY_FILE: z.string().default(''),
    /** With this, all programs together fit a server with 25: docs/deploy-edge.md. */
    POOL_MAX: whole({ min: 1, max: 100, standard: 3 }),
    /** Queries that run or wait for a connection; further ones get a 503. */
    CONCURRENCY_MAX: whole({ min: 1, max: 10_000, standard: 64 }),
    STATEMENT_TIMEOUT_MS: whole({ min: 10, max: 600_000, standard: 5_000 }),
    REQUEST_BYTES_MAX: whole({ min: 100, max: 1 << 24, standard: 64 << 10 }),
    ROW_COUNT_MAX: whole({ min: 1, max: 1_000_000, standard: 20_000 }),
    RESPONSE_BYTES_MAX: whole({ min: 1_000, max: 1 << 30, standard: 16 << 20 }),
    LOG_LEVEL: oneOf(['debug', 'info', 'warn', 'error'], 'info'),
    ...METRICS_VARIABLES,
  })
  .refine(hasMetricsToken, METRICS_TOKEN_RULE)
  .refine((e) => (e.TLS_CERT_FILE === '') === (e.TLS_KEY_FILE === ''), {
    path: ['TLS_CERT_FILE'],
    error: 'and TLS_KEY_FILE must both be set, or neither',
  })

export interface GatewayLimits {
  readonly pool_max: number
  readonly concurrency_max: number
  readonly statement_timeout_ms: number
  readonly request_bytes_max: number
  readonly row_count_max: number
  readonly response_bytes_max: number
}

export interface GatewayConfig {
  readonly host: string
  readonly port: number
  readonly database_url: string
  readonly gateway_secret: string
  readonly limits: GatewayLimits
  /** PEM files; undefined: plain HTTP. */
  readonly tls: { readonly cert_file: string; readonly key_file: string } | undefined
  readonly log_level: string
  /** Undefined: metrics are not served. */
  readonly metrics: MetricsDoorConfig | undefined
}

export function parseConfig(env: Env): GatewayConfig {
  const hint = 'Correct these variables and restart the gateway.'
  const e = readEnvironment(Environment, env, 'Settings of the gateway', hint)
  return Object.freeze({
    host: e.HOST,
    port: e.PORT,
    database_url: e.DATABASE_URL,
    gateway_secret: e.GATEWAY_SECRET,
    log_level: e.LOG_LEVEL,
    metrics: metricsDoorConfig(e),
    tls:
      e.TLS_CERT_FILE === '' ? undefined : { cert_file: e.TLS_CERT_FILE, key_file: e.TLS_KEY_FILE },
    limits: Object.freeze({
      pool_max: e.POOL_MAX,
      concurrency_max: e.CONCURRENCY_MAX,
      statement_timeout_ms: e.STATEMENT_TIMEOUT_MS,
      request_bytes_max: e.REQUEST_BYTES_MAX,
      row_count_max: e.ROW_COUNT_MAX,
      response_bytes_max: e.RESPONSE_BYTES_MAX,
    }),
  })
}
