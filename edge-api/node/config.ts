/** The environment of the edge API on Node, besides the worker's bindings (../config.ts). */
import { z } from 'zod'
import { type Env, oneOf, readEnvironment, urlOf, whole } from '#core/environment.ts'

const Environment = z.object({
  HOST: z.string().min(1, { error: 'is empty' }).default('127.0.0.1'),
  PORT: whole({ min: 0, max: 65_535, standard: 8_088 }),
  /** 1: a proxy in front writes the caller's address at the end of X-Forwarded-For. */
  BEHIND_PROXY: oneOf(['0', '1'], '0'),
  /** Ids of revoked tokens, one per line. */
  REVOKED_FILE: z.string().min(1, { error: 'is empty' }).default('revoked-tokens'),
  /** Requests in ten seconds. */
  RATE_PER_TOKEN: whole({ min: 1, max: 10_000_000, standard: 2_000 }),
  RATE_PER_ADDRESS: whole({ min: 1, max: 10_000_000, standard: 400 }),
  /** A cache that several servers share; empty: the memory of this process. */
  REDIS_URL: urlOf('redis', 'rediss').or(z.literal('')).default(''),
  LOG_LEVEL: oneOf(['debug', 'info', 'warn', 'error'], 'info'),
})

export interface NodeConfig {
  readonly host: string
  readonly port: number
  readonly is_behind_proxy: boolean
  readonly revoked_file: string
  readonly rates: { readonly per_token: number; readonly per_address: number }
  /** Undefined: the cache is in memory. */
  readonly redis_url: string | undefined
  readonly log_level: string
}

export function parseNodeConfig(env: Env): NodeConfig {
  const hint = 'Correct these variables and start it again.'
  const e = readEnvironment(Environment, env, 'Settings of the edge API', hint)
  return Object.freeze({
    host: e.HOST,
    port: e.PORT,
    is_behind_proxy: e.BEHIND_PROXY === '1',
    revoked_file: e.REVOKED_FILE,
    rates: { per_token: e.RATE_PER_TOKEN, per_address: e.RATE_PER_ADDRESS },
    redis_url: e.REDIS_URL === '' ? undefined : e.REDIS_URL,
    log_level: e.LOG_LEVEL,
  })
}
