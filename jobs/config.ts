/** The jobs daemon's settings, read from the environment. All errors are reported together. */
import { z } from 'zod'
import {
  type Env,
  nameList,
  objectStoreOf,
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
import { fromMillis } from '#core/time.ts'
import { BACKUP_VARIABLES, type BackupSettings, backupSettings } from './backup/settings.ts'
import { KEEP_REPLACED_H } from './datasets/replaced-builds.ts'
import type { DatasetsSettings } from './datasets/run-datasets.ts'
import type { FeaturesSettings } from './datasets/run-features.ts'
import type { IndexPricesConfig } from './index-prices/run-index-prices.ts'
import { LAKE_VARIABLES, lakeSettings, type LakeSettings } from './lake/settings.ts'
import {
  RETENTION_VARIABLES,
  retentionSettings,
  type RetentionSettings,
} from './retention/settings.ts'
import { SIGNALS_VARIABLES, signalsSettings, type SignalsSettings } from './signals/settings.ts'
import type { Cadence } from './topn/sampler.ts'
import {
  hasWebhookSecret,
  WEBHOOK_RULE,
  WEBHOOK_VARIABLES,
  webhookSettings,
  type WebhookSettings,
} from './webhook/settings.ts'

export interface JobsConfig {
  readonly database_url: string
  readonly object_store: ObjectStoreConfig
  /** Holds files during a run and is emptied afterwards. */
  readonly work_dir: string
  readonly log_level: string
  /** Seconds between two rebuilds of the current day's features; 0: never. */
  readonly intraday_features_s: number
  readonly features: FeaturesSettings
  readonly datasets: DatasetsSettings
  /** How long replaced files of a dataset stay readable [h]. */
  readonly keep_replaced_h: number
  /** Index prices to request once a minute; undefined: none. */
  readonly index_prices: IndexPricesConfig | undefined
  readonly topn: TopnConfig
  /** Seconds between two runs of the rollups; 0: the daemon does not run them. */
  readonly rollups_every_s: number
  readonly retention: RetentionSettings
  readonly signals: SignalsSettings
  /** Undefined: there is none. */
  readonly webhook: WebhookSettings | undefined
  /** Undefined: metrics are not served. */
  readonly metrics: MetricsDoorConfig | undefined
  readonly backup: BackupSettings
  readonly lake: LakeSettings
}

/** Of orderbook_topn. */
export interface TopnConfig {
  /** Seconds between two runs; 0: the daemon does not run it. */
  readonly every_s: number
  readonly cadence: Cadence
}

const LOG_LEVELS = ['fatal', 'error', 'warn', 'info', 'debug', 'trace', 'silent'] as const
const HINT = 'Set them in the environment.'
const seconds = { min: 0, max: 3_600, what: 'whole seconds' }

const KEEP_REPLACED_VARIABLES = {
  DATASET_KEEP_REPLACED_H: whole({
    min: 1,
    max: 8_760,
    standard: KEEP_REPLACED_H,
    what: 'whole hours',
  }),
}

const FEATURES_VARIABLES = {
  FEATURES_THREADS: whole({ min: 0, max: 16, standard: 2 }),
  /** Each symbol takes up to a gigabyte of disk and some minutes a day. */
  FEATURES_100MS_SYMBOLS: nameList({
    standard: '',
    min: 0,
    max: 100,
    isName: isSymbolName,
    what: 'symbols such as BTCUSDT',
  }),
  FEATURES_F32: oneOf(['on', 'off'], 'off'),
}

const DATASETS_VARIABLES = {
  /** Each symbol takes some hundred megabytes of disk and a minute a day. */
  LOB_SYMBOLS: nameList({
    standard: '',
    min: 0,
    max: 100,
    isName: isSymbolName,
    what: 'symbols such as BTCUSDT',
  }),
  /** Each symbol takes some gigabytes of disk and some minutes a day. */
  DEPTH_SYMBOLS: nameList({
    standard: '',
    min: 0,
    max: 100,
    isName: isSymbolName,
    what: 'symbols such as BTCUSDT',
  }),
}

const milliseconds = { min: 10, what: 'whole milliseconds' }
const TOPN_VARIABLES = {
  TOPN_EVERY_S: whole({ ...seconds, standard: 30 }),
  TOPN_MIN_MS: whole({ ...milliseconds, max: 60_000, standard: 100 }),
  TOPN_MAX_MS: whole({ ...milliseconds, max: 3_600_000, standard: 1_000 }),
}

const isMultiple = (read: { readonly TOPN_MIN_MS: number; readonly TOPN_MAX_MS: number }) =>
  read.TOPN_MAX_MS % read.TOPN_MIN_MS === 0
const MULTIPLE = { path: ['TOPN_MAX_MS'], error: 'must be a multiple of TOPN_MIN_MS' }

const KeepReplaced = z.object(KEEP_REPLACED_VARIABLES)
const Lake = z.object(LAKE_VARIABLES)
const Features = z.object(FEATURES_VARIABLES)
const Datasets = z.object(DATASETS_VARIABLES)
const Topn = z.object(TOPN_VARIABLES).refine(isMultiple, MULTIPLE)

const Environment = z
  .object({
    ...SERVICES,
    LOG_LEVEL: oneOf(LOG_LEVELS, 'info'),
    INTRADAY_FEATURES_S: whole({ ...seconds, max: 86_400, standard: 0 }),
    ROLLUPS_EVERY_S: whole({ ...seconds, standard: 30 }),
    INDEX_PRICES: oneOf(['poll', 'off'], 'off'),
    INDEX_NAMES: nameList({
      standard: 'btc_usd,eth_usd',
      min: 1,
      max: 100,
      isName: isSymbolName,
      what: 'names such as btc_usd',
    }),
    DERIBIT_REST_URL: urlOf('http', 'https').default('https://www.deribit.com'),
    ...KEEP_REPLACED_VARIABLES,
    ...FEATURES_VARIABLES,
    ...DATASETS_VARIABLES,
    ...TOPN_VARIABLES,
    ...RETENTION_VARIABLES,
    ...SIGNALS_VARIABLES,
    ...WEBHOOK_VARIABLES,
    ...METRICS_VARIABLES,
    ...BACKUP_VARIABLES,
    ...LAKE_VARIABLES,
  })
  .refine(isMultiple, MULTIPLE)
  .refine(hasMetricsToken, METRICS_TOKEN_RULE)
  .refine(hasWebhookSecret, WEBHOOK_RULE)

export function parseConfig(env: Env): JobsConfig {
  const read = readEnvironment(Environment, env, 'Settings of jobs', HINT)
  return Object.freeze({
    database_url: read.DATABASE_URL,
    object_store: objectStoreOf(read),
    work_dir: read.WORK_DIR,
    log_level: read.LOG_LEVEL,
    intraday_features_s: read.INTRADAY_FEATURES_S,
    features: featuresSettings(read),
    datasets: datasetsSettings(read),
    keep_replaced_h: read.DATASET_KEEP_REPLACED_H,
    index_prices:
      read.INDEX_PRICES === 'off'
        ? undefined
        : Object.freeze({ rest_url: read.DERIBIT_REST_URL, names: read.INDEX_NAMES }),
    topn: topnConfig(read),
    rollups_every_s: read.ROLLUPS_EVERY_S,
    retention: retentionSettings(read),
    signals: signalsSettings(read),
    webhook: webhookSettings(read),
    metrics: metricsDoorConfig(read),
    backup: backupSettings(read),
    lake: lakeSettings(read),
  })
}

/** The setting that a manual run needs, with or without the daemon's environment. */
export function parseKeepReplacedHours(env: Env): number {
  return readEnvironment(KeepReplaced, env, 'Settings of jobs', HINT).DATASET_KEEP_REPLACED_H
}

/** The settings that a manual run needs, with or without the daemon's environment. */
export function parseLakeSettings(env: Env): LakeSettings {
  return lakeSettings(readEnvironment(Lake, env, 'Settings of jobs', HINT))
}

/** The settings that a manual run needs, with or without the daemon's environment. */
export function parseTopnConfig(env: Env): TopnConfig {
  return topnConfig(readEnvironment(Topn, env, 'Settings of jobs', HINT))
}

/** The settings that a manual run needs, with or without the daemon's environment. */
export function parseFeaturesSettings(env: Env): FeaturesSettings {
  return featuresSettings(readEnvironment(Features, env, 'Settings of jobs', HINT))
}

/** The settings that a manual run needs, with or without the daemon's environment. */
export function parseDatasetsSettings(env: Env): DatasetsSettings {
  return datasetsSettings(readEnvironment(Datasets, env, 'Settings of jobs', HINT))
}

function datasetsSettings(read: z.output<typeof Datasets>): DatasetsSettings {
  const { LOB_SYMBOLS: lob_symbols, DEPTH_SYMBOLS: depth_symbols } = read
  return Object.freeze({ lob_symbols, depth_symbols })
}

function featuresSettings(read: z.output<typeof Features>): FeaturesSettings {
  const { FEATURES_THREADS: thread_count, FEATURES_100MS_SYMBOLS: symbols_100ms } = read
  return Object.freeze({ thread_count, symbols_100ms, with_f32: read.FEATURES_F32 === 'on' })
}

function topnConfig(read: z.output<typeof Topn>): TopnConfig {
  const { TOPN_EVERY_S: every_s, TOPN_MIN_MS: min_ms, TOPN_MAX_MS: max_ms } = read
  const cadence = Object.freeze({ min_us: fromMillis(min_ms), max_us: fromMillis(max_ms) })
  return Object.freeze({ every_s, cadence })
}
