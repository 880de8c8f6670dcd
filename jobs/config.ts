/** The jobs daemon's settings from the environment: checked together, reported together. */
import { OperatorError } from '#core/errors.ts'
import type { ObjectStoreConfig } from '#core/node/object-store.ts'
import { isSymbolName } from '#core/symbols.ts'
import { fromMillis } from '#core/time.ts'
import { KEEP_REPLACED_H } from './datasets/replaced-builds.ts'
import type { FeaturesSettings } from './datasets/run-features.ts'
import type { IndexPricesConfig } from './index-prices/run-index-prices.ts'
import { parseRetention, type RetentionSettings } from './retention/settings.ts'
import type { Cadence } from './topn/sampler.ts'

export interface JobsConfig {
  readonly database_url: string
  readonly object_store: ObjectStoreConfig
  /** Holds files while they are made; emptied after every run. */
  readonly work_dir: string
  readonly log_level: string
  /** The current day's features are rebuilt every so many seconds; 0: never. */
  readonly intraday_features_s: number
  readonly features: FeaturesSettings
  /** How long files of a dataset that were replaced stay readable [h]. */
  readonly keep_replaced_h: number
  /** Index prices that are asked for once a minute; undefined: none. */
  readonly index_prices: IndexPricesConfig | undefined
  readonly topn: TopnConfig
  /** Seconds between two runs of the rollups; 0: the daemon leaves them to others. */
  readonly rollups_every_s: number
  readonly retention: RetentionSettings
}

/** Of orderbook_topn. */
export interface TopnConfig {
  /** Seconds between two runs; 0: the daemon leaves it to others. */
  readonly every_s: number
  readonly cadence: Cadence
}

type Env = Readonly<Record<string, string | undefined>>

const LOG_LEVELS = ['fatal', 'error', 'warn', 'info', 'debug', 'trace', 'silent']
const INTRADAY_MAX_S = 86_400
const KEEP_REPLACED_MAX_H = 8_760
const INDEX_NAMES_MAX = 100
const FEATURES_THREADS_MAX = 16
/** Each takes up to a gigabyte of disk and some minutes a day. */
const SYMBOLS_100MS_MAX = 100

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
    features: parseFeatures(env, problems),
    keep_replaced_h: parseKeepReplaced(env, problems),
    index_prices: parseIndexPrices(env, problems),
    topn: parseTopn(env, problems),
    rollups_every_s: Number(env['ROLLUPS_EVERY_S'] ?? '30'),
    retention: parseRetention(env, problems),
  }
  if (!LOG_LEVELS.includes(config.log_level)) {
    problems.push(`LOG_LEVEL is '${config.log_level}', expected one of ${LOG_LEVELS.join(', ')}`)
  }
  const { intraday_features_s: seconds, rollups_every_s } = config
  if (!Number.isInteger(rollups_every_s) || rollups_every_s < 0 || rollups_every_s > 3_600) {
    problems.push(
      `ROLLUPS_EVERY_S is '${env['ROLLUPS_EVERY_S']}', expected whole seconds from 0 to 3600`,
    )
  }
  if (!Number.isInteger(seconds) || seconds < 0 || seconds > INTRADAY_MAX_S) {
    problems.push(
      `INTRADAY_FEATURES_S is '${env['INTRADAY_FEATURES_S']}', ` +
        `expected whole seconds from 0 to ${INTRADAY_MAX_S}`,
    )
  }
  refuse(problems)
  return Object.freeze(config)
}

function refuse(problems: readonly string[]): void {
  if (problems.length === 0) return
  throw new OperatorError('bad_config', `Settings of jobs: ${problems.join('; ')}.`, {
    hint: 'Set them in the environment.',
  })
}

/** What of it a run by hand needs, with or without the daemon's environment. */
export function parseKeepReplacedHours(env: Env): number {
  const problems: string[] = []
  const hours = parseKeepReplaced(env, problems)
  refuse(problems)
  return hours
}

function parseKeepReplaced(env: Env, problems: string[]): number {
  const hours = Number(env['DATASET_KEEP_REPLACED_H'] ?? KEEP_REPLACED_H)
  if (!Number.isInteger(hours) || hours < 1 || hours > KEEP_REPLACED_MAX_H) {
    problems.push(
      `DATASET_KEEP_REPLACED_H is '${env['DATASET_KEEP_REPLACED_H']}', ` +
        `expected whole hours from 1 to ${KEEP_REPLACED_MAX_H}`,
    )
  }
  return hours
}

/** What of it a run by hand needs, with or without the daemon's environment. */
export function parseTopnConfig(env: Env): TopnConfig {
  const problems: string[] = []
  const topn = parseTopn(env, problems)
  refuse(problems)
  return topn
}

/** What of it a run by hand needs, with or without the daemon's environment. */
export function parseFeaturesSettings(env: Env): FeaturesSettings {
  const problems: string[] = []
  const settings = parseFeatures(env, problems)
  refuse(problems)
  return settings
}

function parseFeatures(env: Env, problems: string[]): FeaturesSettings {
  const thread_count = Number(env['FEATURES_THREADS'] ?? '2')
  if (!Number.isInteger(thread_count) || thread_count < 0 || thread_count > FEATURES_THREADS_MAX) {
    problems.push(
      `FEATURES_THREADS is '${env['FEATURES_THREADS']}', ` +
        `expected a whole number from 0 to ${FEATURES_THREADS_MAX}`,
    )
  }
  const symbols_100ms = namesOf(env['FEATURES_100MS_SYMBOLS'] ?? '')
  if (symbols_100ms.length > SYMBOLS_100MS_MAX || !symbols_100ms.every(isSymbolName)) {
    problems.push(
      `FEATURES_100MS_SYMBOLS is '${symbols_100ms.join(',')}', ` +
        `expected at most ${SYMBOLS_100MS_MAX} symbols such as BTCUSDT`,
    )
  }
  return Object.freeze({ thread_count, symbols_100ms })
}

function parseTopn(env: Env, problems: string[]): TopnConfig {
  const whole = (name: string, standard: number, minimum: number, maximum: number): number => {
    const value = Number(env[name] ?? standard)
    if (!Number.isInteger(value) || value < minimum || value > maximum) {
      problems.push(`${name} is '${env[name]}', expected a whole number from ${minimum} to ${maximum}`)
    }
    return value
  }
  const every_s = whole('TOPN_EVERY_S', 30, 0, 3_600)
  const min_ms = whole('TOPN_MIN_MS', 100, 10, 60_000)
  const max_ms = whole('TOPN_MAX_MS', 1_000, 10, 3_600_000)
  if (max_ms % min_ms !== 0) problems.push('TOPN_MAX_MS is no multiple of TOPN_MIN_MS')
  const cadence = Object.freeze({ min_us: fromMillis(min_ms), max_us: fromMillis(max_ms) })
  return Object.freeze({ every_s, cadence })
}

function parseIndexPrices(env: Env, problems: string[]): IndexPricesConfig | undefined {
  const mode = env['INDEX_PRICES'] ?? 'off'
  const names = namesOf(env['INDEX_NAMES'] ?? 'btc_usd,eth_usd')
  const rest_url = env['DERIBIT_REST_URL'] ?? 'https://www.deribit.com'
  if (mode !== 'poll' && mode !== 'off') {
    problems.push(`INDEX_PRICES is '${mode}', expected poll or off`)
  }
  if (names.length === 0 || names.length > INDEX_NAMES_MAX || !names.every(isSymbolName)) {
    problems.push(
      `INDEX_NAMES is '${names.join(',')}', expected 1 to ${INDEX_NAMES_MAX} names such as btc_usd`,
    )
  }
  if (!['http:', 'https:'].includes(URL.parse(rest_url)?.protocol ?? '')) {
    problems.push('DERIBIT_REST_URL is not a URL that begins with http:// or https://')
  }
  return mode === 'poll' ? Object.freeze({ rest_url, names }) : undefined
}

/** Of a comma list, each once. */
function namesOf(text: string): readonly string[] {
  const names = text.split(',').map((name) => name.trim())
  return [...new Set(names)].filter((name) => name !== '')
}
