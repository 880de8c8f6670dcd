/** The gateway's environment, checked once. Reports all problems together, without the values. */
import { z } from 'zod'
import { OperatorError } from '#core/errors.ts'

const whole = (minimum: number, maximum: number, standard: number) => {
  const error = `must be a whole number from ${minimum} to ${maximum}`
  return z
    .string({ error })
    .regex(/^\d{1,12}$/, { error })
    .transform(Number)
    .refine((value) => value >= minimum && value <= maximum, { error })
    .default(standard)
}

const Environment = z
  .object({
    HOST: z.string().min(1, { error: 'is empty' }).default('127.0.0.1'),
    PORT: whole(0, 65_535, 8_090),
    /** The only login and database that queries may name; a member of booktape_reader. */
    DATABASE_URL: z.url({ protocol: /^postgres(ql)?$/, error: 'must be a postgres URL' }),
    GATEWAY_SECRET: z
      .string({ error: 'is missing' })
      .min(16, { error: 'must have at least 16 characters' }),
    /** PEM files. Without them, a proxy in front of the gateway must terminate TLS. */
    TLS_CERT_FILE: z.string().default(''),
    TLS_KEY_FILE: z.string().default(''),
    /** With this, all programs together use 22 of a small server's 25: docs/deploy-edge.md. */
    POOL_MAX: whole(1, 100, 4),
    /** Queries that run or wait for a connection; further ones get a 503. */
    CONCURRENCY_MAX: whole(1, 10_000, 64),
    STATEMENT_TIMEOUT_MS: whole(10, 600_000, 5_000),
    REQUEST_BYTES_MAX: whole(100, 1 << 24, 64 << 10),
    ROW_COUNT_MAX: whole(1, 1_000_000, 20_000),
    RESPONSE_BYTES_MAX: whole(1_000, 1 << 30, 16 << 20),
    LOG_LEVEL: z
      .enum(['debug', 'info', 'warn', 'error'], { error: 'must be debug, info, warn or error' })
      .default('info'),
  })
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
}

export function parseConfig(env: Readonly<Record<string, string | undefined>>): GatewayConfig {
  const result = Environment.safeParse(env)
  if (!result.success) {
    const problems = result.error.issues.map((issue) => `${issue.path.join('.')} ${issue.message}`)
    throw new OperatorError(
      'bad_config',
      `The gateway's environment is not usable: ${problems.join('; ')}.`,
      {
        hint: 'Correct these variables and restart the gateway.',
      },
    )
  }
  const e = result.data
  return Object.freeze({
    host: e.HOST,
    port: e.PORT,
    database_url: e.DATABASE_URL,
    gateway_secret: e.GATEWAY_SECRET,
    log_level: e.LOG_LEVEL,
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
