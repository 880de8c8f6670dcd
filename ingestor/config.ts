/** The ingestor's environment, checked once; all problems are reported together. */
import { z } from 'zod'
import { type Env, list, oneOf, readEnvironment, urlOf, whole } from '#core/environment.ts'
import { CHANNELS, type Channel } from '#core/market.ts'
import { type Exchange, isSymbolName, SYMBOL_RULE } from '#core/symbols.ts'
import { TIME_UNITS, type TimeUnit } from '#core/time-source.ts'
import {
  hasMetricsToken,
  METRICS_TOKEN_RULE,
  METRICS_VARIABLES,
  type MetricsDoorConfig,
  metricsDoorConfig,
} from '#core/node/door/metrics-door.ts'
import { type ControlConfig, CONTROL_VARIABLES, controlConfig } from './control-config.ts'
import type { DepthStream, StreamChoice } from './exchanges/adapter.ts'
import { DEPTH_STREAMS, STANDARD_INTERVAL_MS } from './exchanges/depth-choice.ts'
import { ADAPTERS, adapterFor } from './exchanges/registry.ts'
import { type Shard, SHARD_COUNT_MAX } from './shard.ts'
import type { DepthSymbols, DesiredState } from './desired-state.ts'
import type { BatchLimits } from './writer/session.ts'

export interface IngestorConfig {
  readonly database_url: string
  readonly ingestor_id: string
  readonly exchange: Exchange
  readonly time_unit: TimeUnit
  readonly ws_url: string
  readonly rest_url: string
  /** As in wanted.ts. */
  readonly symbols: 'all' | readonly string[]
  /** Undefined: this ingestor records all of them. */
  readonly shard: Shard | undefined
  /** Undefined: the exchange's limit per address. */
  readonly rest_weight_per_minute: number | undefined
  /** Its depth is of every symbol: see depth_symbols. */
  readonly choice: StreamChoice
  readonly depth_symbols: DepthSymbols
  /** Interval between reads of the exchange's listing. */
  readonly listing_interval_s: number
  /** Multiplies every limit on the exchange's answers and on the silence of streams. */
  readonly patience_factor: number
  /**
   * Seconds after which a new snapshot is requested, in sequence or not; 0: only when it is
   * lost.
   */
  readonly depth_snapshot_s: number
  readonly tape: {
    readonly dir: string
    readonly max_bytes: number
    readonly segment_bytes: number
    readonly fsync_ms: number
    readonly keep_s: number
  }
  readonly batch: BatchLimits
  readonly log_level: string
  readonly control: ControlConfig
  /** A port for metrics alone, besides the admin API; undefined: no port. */
  readonly metrics: MetricsDoorConfig | undefined
  /** Undefined: nothing is served. */
  readonly health: { readonly host: string; readonly port: number } | undefined
}

/** Limits become hours long, so nothing slow counts as dead. */
export const PATIENCE_FACTOR_MAX = 1_000

const MIB = 1024 * 1024
/** What this build can record. */
const EXCHANGES = ADAPTERS.map((adapter) => adapter.exchange)

const Symbols = z
  .string()
  .default('all')
  .transform((text) => (text.trim() === 'all' ? 'all' : list(text)))
  .refine((symbols) => symbols === 'all' || (symbols.length > 0 && symbols.every(isSymbolName)), {
    error: `must be 'all' or a comma list of symbols such as BTCUSDT,ETHUSDT: ${SYMBOL_RULE}`,
  })

/** `1/3` to `3/3`. */
const ShardText = z
  .string()
  .default('1/1')
  .transform((text) => {
    const parts = /^(\d{1,3})\/(\d{1,3})$/.exec(text.trim()) ?? []
    const [index = 0, count = 0] = parts.slice(1).map(Number)
    return { index, count }
  })
  .refine(({ index, count }) => index >= 1 && index <= count && count <= SHARD_COUNT_MAX, {
    error: `must be i/n with i from 1 to n and n at most ${SHARD_COUNT_MAX}, such as 2/3`,
  })

const Channels = z
  .string()
  .default(CHANNELS.join(','))
  .transform(list)
  .refine(
    (names): names is readonly Channel[] =>
      names.length > 0 && names.every((name) => (CHANNELS as readonly string[]).includes(name)),
    { error: `must be a comma list of ${CHANNELS.join(', ')}` },
  )

const DepthSymbolsText = z
  .string()
  .default('tier')
  .transform((text): DepthSymbols => {
    const words = text.trim()
    if (words === 'all') return { kind: 'all' }
    if (words === 'tier') return { kind: 'tier', tier: 1 }
    const count = /^busiest:(\d{1,4})$/.exec(words)?.[1]
    if (count !== undefined) return { kind: 'busiest', count: Number(count) }
    return { kind: 'named', symbols: list(words) }
  })
  .refine(
    (wanted) =>
      wanted.kind !== 'named' || (wanted.symbols.length > 0 && wanted.symbols.every(isSymbolName)),
    {
      error:
        "must be 'tier', 'all', 'busiest:N' or a comma list of symbols such as BTCUSDT,ETHUSDT",
    },
  )

const DepthStreams = z
  .string()
  .default('diff')
  .transform(list)
  .refine(
    (names): names is readonly DepthStream[] =>
      names.length > 0 &&
      names.every((name) => (DEPTH_STREAMS as readonly string[]).includes(name)) &&
      names.filter((name) => name !== 'diff').length <= 1,
    { error: `must be a comma list of ${DEPTH_STREAMS.join(', ')}, at most one of them partial` },
  )

const SPEEDS_MS = ['0', '100', '250', '500', '1000']

const Environment = z
  .object({
    DATABASE_URL: urlOf('postgres', 'postgresql'),
    INGESTOR_ID: z
      .string()
      .regex(/^[\w.-]{1,64}$/, {
        error: 'must be 1 to 64 letters, digits, dots, dashes or underscores',
      })
      .optional(),
    EXCHANGE: oneOf(EXCHANGES, 'binance-futures'),
    TIME_UNIT: oneOf(TIME_UNITS, 'millisecond'),
    EXCHANGE_WS_URL: urlOf('ws', 'wss').optional(),
    EXCHANGE_REST_URL: urlOf('http', 'https').optional(),
    REST_WEIGHT_PER_MINUTE: whole({ min: 0, max: 1_000_000, standard: 0 }),
    SYMBOLS: Symbols,
    SHARD: ShardText,
    CHANNELS: Channels,
    TRADE_STREAM: oneOf(['aggTrade', 'trade'], 'aggTrade'),
    DEPTH_SYMBOLS: DepthSymbolsText,
    TIER: oneOf(['1', '2', '3'], '1'),
    DEPTH_STREAMS: DepthStreams,
    DEPTH_INTERVAL_MS: oneOf(SPEEDS_MS, String(STANDARD_INTERVAL_MS)).transform(Number),
    INCLUDE_COIN_M: oneOf(['0', '1'], '0').transform((text) => text === '1'),
    LISTING_INTERVAL_S: whole({ min: 10, max: 86_400, standard: 3_600 }),
    PATIENCE_FACTOR: whole({ min: 1, max: PATIENCE_FACTOR_MAX, standard: 1 }),
    DEPTH_SNAPSHOT_S: whole({ min: 0, max: 86_400, standard: 300 }),
    TAPE_DIR: z.string().min(1, { error: 'is empty' }).default('.data/tape'),
    TAPE_MAX_BYTES: whole({ min: 64 * MIB, max: Number.MAX_SAFE_INTEGER, standard: 8_192 * MIB }),
    TAPE_SEGMENT_BYTES: whole({ min: 16 * MIB, max: 16_384 * MIB, standard: 64 * MIB }),
    TAPE_FSYNC_MS: whole({ min: 10, max: 60_000, standard: 500 }),
    TAPE_KEEP_S: whole({ min: 1, max: 30 * 86_400, standard: 600 }),
    BATCH_ROWS_MAX: whole({ min: 1, max: 200_000, standard: 20_000 }),
    BATCH_BYTES_MAX: whole({ min: 64 * 1024, max: 64 * MIB, standard: 8 * MIB }),
    BATCH_AGE_MS_MAX: whole({ min: 1, max: 60_000, standard: 50 }),
    LOG_LEVEL: oneOf(['debug', 'info', 'warn', 'error'], 'info'),
    ...CONTROL_VARIABLES,
    ...METRICS_VARIABLES,
    HEALTH_HOST: z.string().min(1, { error: 'is empty' }).default('127.0.0.1'),
    HEALTH_PORT: whole({ min: 0, max: 65_535, standard: 0 }),
  })
  .refine(
    ({ DEPTH_STREAMS: streams, DEPTH_INTERVAL_MS: ms }) => ms > 0 || streams.join() === 'diff',
    {
      path: ['DEPTH_INTERVAL_MS'],
      error: 'must not be 0 where DEPTH_STREAMS has a partial book: it has no such speed',
    },
  )
  .superRefine((env, context) => {
    const { EXCHANGE: exchange, DEPTH_INTERVAL_MS: ms, TIME_UNIT: unit } = env
    const { depth_intervals_ms: speeds, depth_streams, in_microseconds } = adapterFor(exchange)
    const refuse = (path: string, message: string): void =>
      context.addIssue({ code: 'custom', path: [path], message })
    if (speeds?.includes(ms) === false) {
      refuse('DEPTH_INTERVAL_MS', `must be ${speeds.join(' or ')} with EXCHANGE=${exchange}`)
    }
    const offered: readonly string[] = depth_streams ?? DEPTH_STREAMS
    if (!env.DEPTH_STREAMS.every((stream) => offered.includes(stream))) {
      refuse('DEPTH_STREAMS', `must be ${offered.join(' or ')} with EXCHANGE=${exchange}`)
    }
    if (env.CONTROL_PORT > 0 && env.CONTROL_TOKENS.length === 0) {
      refuse('CONTROL_TOKENS', 'must name a token where CONTROL_PORT is set')
    }
    if (!hasMetricsToken(env)) refuse(METRICS_TOKEN_RULE.path[0]!, METRICS_TOKEN_RULE.error)
    if (unit === 'microsecond' && in_microseconds === undefined) {
      refuse('TIME_UNIT', `must be millisecond with EXCHANGE=${exchange}`)
    }
  })

const HINT = '.env.example lists every variable with its unit and default.'

/** Every key that is read, for the comparison with .env.example. */
export const CONFIG_KEYS: readonly string[] = Object.keys(Environment.shape)

export function parseConfig(env: Env): IngestorConfig {
  const e = readEnvironment(Environment, env, 'Settings of the ingestor', HINT)
  return Object.freeze({
    database_url: e.DATABASE_URL,
    ingestor_id: e.INGESTOR_ID ?? standardId(e.SHARD),
    exchange: e.EXCHANGE,
    time_unit: e.TIME_UNIT,
    ws_url: e.EXCHANGE_WS_URL ?? adapterFor(e.EXCHANGE).ws_url,
    rest_url: e.EXCHANGE_REST_URL ?? adapterFor(e.EXCHANGE).rest_url,
    symbols: e.SYMBOLS,
    shard: e.SHARD.count === 1 ? undefined : Object.freeze(e.SHARD),
    rest_weight_per_minute: e.REST_WEIGHT_PER_MINUTE === 0 ? undefined : e.REST_WEIGHT_PER_MINUTE,
    choice: Object.freeze({
      channels: e.CHANNELS,
      trade_stream: e.TRADE_STREAM,
      depth: Object.freeze({
        symbols: 'all',
        streams: e.DEPTH_STREAMS,
        interval_ms: e.DEPTH_INTERVAL_MS,
      }),
      include_coin_m: e.INCLUDE_COIN_M,
    }),
    depth_symbols: Object.freeze(
      e.DEPTH_SYMBOLS.kind === 'tier' ? { kind: 'tier', tier: Number(e.TIER) } : e.DEPTH_SYMBOLS,
    ),
    listing_interval_s: e.LISTING_INTERVAL_S,
    patience_factor: e.PATIENCE_FACTOR,
    depth_snapshot_s: e.DEPTH_SNAPSHOT_S,
    tape: Object.freeze({
      dir: e.TAPE_DIR,
      max_bytes: e.TAPE_MAX_BYTES,
      segment_bytes: e.TAPE_SEGMENT_BYTES,
      fsync_ms: e.TAPE_FSYNC_MS,
      keep_s: e.TAPE_KEEP_S,
    }),
    batch: Object.freeze({
      rows_max: e.BATCH_ROWS_MAX,
      bytes_max: e.BATCH_BYTES_MAX,
      age_ms_max: e.BATCH_AGE_MS_MAX,
    }),
    log_level: e.LOG_LEVEL,
    control: controlConfig(e, e.TAPE_DIR),
    metrics: metricsDoorConfig(e),
    health:
      e.HEALTH_PORT === 0 ? undefined : Object.freeze({ host: e.HEALTH_HOST, port: e.HEALTH_PORT }),
  })
}

/**
 * Every shard needs its own id. The id contains the shard's number but not the number of shards,
 * so adding a shard does not change the ids, positions and offsets of the others.
 */
function standardId({ index, count }: Shard): string {
  return count === 1 ? 'local' : `local-shard-${index}`
}

/** What the environment chooses, until an operator chooses otherwise. */
export function desiredBy(
  config: Pick<IngestorConfig, 'symbols' | 'choice' | 'depth_symbols'>,
): DesiredState {
  const { symbols, choice, depth_symbols: depth } = config
  return { recording: 'recording', symbols, channels: choice.channels, depth }
}
