/** The console's environment, checked once; all problems are reported together. */
import { z } from 'zod'
import {
  type Env,
  list,
  objectStoreOf,
  oneOf,
  readEnvironment,
  SERVICES,
  whole,
} from '#core/environment.ts'
import { type DoorToken, parseTokens, TOKENS_RULE } from '#core/node/door/tokens.ts'
import type { ObjectStoreConfig } from '#core/node/object-store.ts'
import {
  RETENTION_VARIABLES,
  retentionSettings,
  type RetentionSettings,
} from '../../jobs/retention/settings.ts'

export interface ConsoleConfig {
  readonly database_url: string
  readonly object_store: ObjectStoreConfig
  readonly host: string
  readonly port: number
  readonly tokens: readonly DoorToken[]
  readonly hosts: readonly string[]
  /** Requests without a token may read. */
  readonly is_open_to_read: boolean
  /** Ingestors to show even if the database does not list them: unix:PATH or URLs. */
  readonly ingestors: readonly string[]
  /** The token for ingestors that are called over the network. */
  readonly ingestor_token: string | undefined
  readonly retention: RetentionSettings
  readonly log_level: string
}

/** The console writes no files. */
const { WORK_DIR: _, ...STORE_AND_DATABASE } = SERVICES
const LOOPBACK = ['127.0.0.1', '::1', 'localhost']
const ENDPOINT = /^(unix:\/.{1,100}|https?:\/\/[^\s/]+)$/

const names = z.string().default('').transform(list)

const Environment = z
  .object({
    ...STORE_AND_DATABASE,
    CONSOLE_HOST: z.string().min(1, { error: 'is empty' }).default('127.0.0.1'),
    CONSOLE_PORT: whole({ min: 0, max: 65_535, standard: 8_091, what: 'a port' }),
    CONSOLE_TOKENS: z
      .string()
      .default('')
      .transform(parseTokens)
      .refine((tokens) => tokens !== undefined, { error: `must be ${TOKENS_RULE}` })
      .transform((tokens) => tokens ?? []),
    CONSOLE_HOSTS: names,
    CONSOLE_OPEN_TO_READ: oneOf(['0', '1'], '0'),
    CONSOLE_INGESTORS: names.refine((found) => found.every((one) => ENDPOINT.test(one)), {
      error: 'must be a comma list of unix:/PATH or http://HOST:PORT',
    }),
    CONSOLE_INGESTOR_TOKEN: z.string().default(''),
    LOG_LEVEL: oneOf(['debug', 'info', 'warn', 'error'], 'info'),
    ...RETENTION_VARIABLES,
  })
  .superRefine((read, context) => {
    const refuse = (name: string, message: string): void => {
      context.addIssue({ code: 'custom', path: [name], message })
    }
    const is_open = read.CONSOLE_OPEN_TO_READ === '1'
    if (is_open && !LOOPBACK.includes(read.CONSOLE_HOST)) {
      refuse('CONSOLE_OPEN_TO_READ', 'may be 1 on a loopback address only')
    }
    if (!is_open && read.CONSOLE_TOKENS.length === 0) {
      refuse('CONSOLE_TOKENS', 'must name a token: without one nobody may look')
    }
  })

export function parseConfig(env: Env): ConsoleConfig {
  const hint = 'Set them in the environment.'
  const read = readEnvironment(Environment, env, 'Settings of the console', hint)
  return Object.freeze({
    database_url: read.DATABASE_URL,
    object_store: objectStoreOf(read),
    host: read.CONSOLE_HOST,
    port: read.CONSOLE_PORT,
    tokens: read.CONSOLE_TOKENS,
    hosts: read.CONSOLE_HOSTS.map((name) => name.toLowerCase()),
    is_open_to_read: read.CONSOLE_OPEN_TO_READ === '1',
    ingestors: read.CONSOLE_INGESTORS,
    ingestor_token: read.CONSOLE_INGESTOR_TOKEN === '' ? undefined : read.CONSOLE_INGESTOR_TOKEN,
    retention: retentionSettings(read),
    log_level: read.LOG_LEVEL,
  })
}
