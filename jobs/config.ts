/** The jobs daemon's settings from the environment: checked together, reported together. */
import { OperatorError } from '#core/errors.ts'
import type { ObjectStoreConfig } from '#core/node/object-store.ts'

export interface JobsConfig {
  readonly database_url: string
  readonly object_store: ObjectStoreConfig
  /** Holds files while they are made; emptied after every run. */
  readonly work_dir: string
  readonly log_level: string
  /** The current day's features are rebuilt every so many seconds; 0: never. */
  readonly intraday_features_s: number
}

type Env = Readonly<Record<string, string | undefined>>

const LOG_LEVELS = ['fatal', 'error', 'warn', 'info', 'debug', 'trace', 'silent']
const INTRADAY_MAX_S = 86_400

export function parseConfig(env: Env): JobsConfig {
  const problems: string[] = []
  const required = (name: string): string => {
    const value = env[name]?.trim() ?? ''
    if (value === '') problems.push(`${name} is missing`)
    return value
  }
  const url = (name: string, protocols: readonly string[]): string => {
    const value = required(name)
    // The value may hold a password: it is not repeated.
    if (value !== '' && !protocols.includes(URL.parse(value)?.protocol ?? '')) {
      const expected = protocols.map((protocol) => `${protocol}//`).join(' or ')
      problems.push(`${name} is not a URL that begins with ${expected}`)
    }
    return value
  }
  const config: JobsConfig = {
    database_url: url('DATABASE_URL', ['postgres:', 'postgresql:']),
    object_store: Object.freeze({
      endpoint: url('S3_ENDPOINT', ['http:', 'https:']),
      bucket: required('S3_BUCKET'),
      region: required('S3_REGION'),
      access_key_id: required('S3_ACCESS_KEY_ID'),
      secret_access_key: required('S3_SECRET_ACCESS_KEY'),
    }),
    work_dir: required('WORK_DIR'),
    log_level: env['LOG_LEVEL'] ?? 'info',
    intraday_features_s: Number(env['INTRADAY_FEATURES_S'] ?? '0'),
  }
  if (!LOG_LEVELS.includes(config.log_level)) {
    problems.push(`LOG_LEVEL is '${config.log_level}', expected one of ${LOG_LEVELS.join(', ')}`)
  }
  const { intraday_features_s: seconds } = config
  if (!Number.isInteger(seconds) || seconds < 0 || seconds > INTRADAY_MAX_S) {
    problems.push(
      `INTRADAY_FEATURES_S is '${env['INTRADAY_FEATURES_S']}', ` +
        `expected whole seconds from 0 to ${INTRADAY_MAX_S}`,
    )
  }
  if (problems.length > 0) {
    throw new OperatorError('bad_config', `Settings of jobs: ${problems.join('; ')}.`, {
      hint: 'Set them in the environment.',
    })
  }
  return Object.freeze(config)
}
