/**
 * The entry file and environment of each program of the stack. One function per program, so that
 * the whole stack and a replay start the same programs.
 */
import { mkdirSync } from 'node:fs'
import { join, resolve } from 'node:path'
import type { ObjectStoreConfig } from '#core/node/object-store.ts'
import { PATIENCE_FACTOR_MAX } from '../../ingestor/config.ts'
import { SOCKET_NAME } from '../../ingestor/control-config.ts'
import type { ChildMessage, ChildOptions } from './child.ts'
import type { DataDir } from './data-dir.ts'
import type { RecordedStreams } from './feed.ts'

const BUCKET = 'booktape'
const REGION = 'auto'

export function objectStoreProgram(data_dir: DataDir, port: number): ChildOptions {
  mkdirSync(data_dir.join('object-store'), { recursive: true })
  return {
    name: 'object store',
    entry: 'infra/local/object-store-main.ts',
    log_file: data_dir.join('logs', 'object-store.log'),
    env: {
      DIR: data_dir.join('object-store'),
      PORT: String(port),
      ACCESS_KEY_ID: data_dir.secrets.access_key_id,
      SECRET_ACCESS_KEY: data_dir.secrets.secret_access_key,
    },
  }
}

export function objectStoreConfig(data_dir: DataDir, ready: ChildMessage): ObjectStoreConfig {
  return {
    endpoint: String(ready['endpoint']),
    bucket: BUCKET,
    region: REGION,
    access_key_id: data_dir.secrets.access_key_id,
    secret_access_key: data_dir.secrets.secret_access_key,
  }
}

export type ExchangeSource =
  | {
      readonly kind: 'sim'
      readonly exchange: string
      readonly symbols: readonly string[] | undefined
      readonly events_per_s: number
    }
  | { readonly kind: 'replay'; readonly files: readonly string[]; readonly speed: string }

export function exchangeProgram(
  data_dir: DataDir,
  port: number,
  source: ExchangeSource,
): ChildOptions {
  const chosen: Record<string, string> =
    source.kind === 'sim'
      ? {
          EXCHANGE_SOURCE: 'sim',
          EXCHANGE: source.exchange,
          EVENTS_PER_S: String(source.events_per_s),
          ...(source.symbols === undefined ? {} : { SYMBOLS: source.symbols.join(',') }),
        }
      : {
          EXCHANGE_SOURCE: 'replay',
          // Children do not run in the user's working directory.
          RECORDINGS: JSON.stringify(source.files.map((file) => resolve(file))),
          REPLAY_SPEED: source.speed,
        }
  return {
    name: 'exchange',
    entry: 'infra/exchange/main.ts',
    log_file: data_dir.join('logs', 'exchange.log'),
    env: { PORT: String(port), ...chosen },
  }
}

export interface IngestorOptions {
  readonly database_url: string
  readonly ingestor_id: string
  readonly tape_dir: string
  readonly exchange: string
  /** Undefined: the real exchange. */
  readonly exchange_url: string | undefined
  readonly symbols: readonly string[] | undefined
  /** Undefined: the ingestor's default streams. */
  readonly streams: RecordedStreams | undefined
  /** A recording may pause, and its playback may be slow: neither is a gap. */
  readonly is_replay?: boolean
  readonly onMessage: (message: ChildMessage) => void
}

export function ingestorProgram(data_dir: DataDir, options: IngestorOptions): ChildOptions {
  const { exchange_url, symbols } = options
  return {
    name: 'ingestor',
    entry: 'ingestor/main.ts',
    log_file: data_dir.join('logs', 'ingestor.log'),
    onMessage: options.onMessage,
    env: {
      DATABASE_URL: options.database_url,
      EXCHANGE: options.exchange,
      INGESTOR_ID: options.ingestor_id,
      TAPE_DIR: options.tape_dir,
      ...(options.streams === undefined ? {} : streamsEnvironment(options.streams)),
      ...(symbols === undefined ? {} : { SYMBOLS: symbols.join(',') }),
      ...(options.is_replay === true ? { PATIENCE_FACTOR: String(PATIENCE_FACTOR_MAX) } : {}),
      ...exchangeEnvironment(exchange_url),
    },
  }
}

/** A second ingestor that records index prices of Deribit: of the real one if there is no URL. */
export function indexIngestorProgram(
  data_dir: DataDir,
  {
    database_url,
    exchange_url,
    names,
  }: {
    readonly database_url: string
    readonly exchange_url: string | undefined
    readonly names: readonly string[]
  },
): ChildOptions {
  return {
    name: 'index ingestor',
    entry: 'ingestor/main.ts',
    log_file: data_dir.join('logs', 'index-ingestor.log'),
    env: {
      DATABASE_URL: database_url,
      EXCHANGE: 'deribit',
      INGESTOR_ID: 'local-deribit',
      TAPE_DIR: data_dir.join('tape-deribit'),
      SYMBOLS: names.join(','),
      ...exchangeEnvironment(exchange_url),
    },
  }
}

function exchangeEnvironment(url: string | undefined): Record<string, string> {
  if (url === undefined) return {}
  return { EXCHANGE_REST_URL: url, EXCHANGE_WS_URL: url.replace(/^http/, 'ws') }
}

function streamsEnvironment(streams: RecordedStreams): Record<string, string> {
  const { time_unit, trade_stream, depth, include_coin_m } = streams
  return {
    TIME_UNIT: time_unit,
    TRADE_STREAM: trade_stream,
    DEPTH_SYMBOLS: 'all',
    DEPTH_STREAMS: depth.streams.join(','),
    DEPTH_INTERVAL_MS: String(depth.interval_ms),
    INCLUDE_COIN_M: include_coin_m ? '1' : '0',
  }
}

export function jobsProgram(
  data_dir: DataDir,
  database_url: string,
  store: ObjectStoreConfig,
  intraday_features_s: number,
  /** Settings of retention; jobs run by hand use them too. */
  settings: Readonly<Record<string, string>>,
  /** Index prices to poll, and the server to poll; undefined: none. */
  polled:
    | { readonly names: readonly string[]; readonly exchange_url: string | undefined }
    | undefined,
): ChildOptions {
  return {
    name: 'jobs',
    entry: 'jobs/main.ts',
    log_file: data_dir.join('logs', 'jobs.log'),
    env: {
      DATABASE_URL: database_url,
      WORK_DIR: data_dir.join('work'),
      INTRADAY_FEATURES_S: String(intraday_features_s),
      ...settings,
      ...(polled === undefined
        ? {}
        : {
            INDEX_PRICES: 'poll',
            INDEX_NAMES: polled.names.join(','),
            ...(polled.exchange_url === undefined ? {} : { DERIBIT_REST_URL: polled.exchange_url }),
          }),
      ...storeEnvironment(store),
    },
  }
}

/** It listens on loopback, where anybody may look; to steer takes the token of stack.json. */
export function consoleProgram(
  data_dir: DataDir,
  port: number,
  {
    database_url,
    store,
    settings,
    ingestors,
  }: {
    readonly database_url: string
    readonly store: ObjectStoreConfig
    /** Of retention, as the jobs daemon has them. */
    readonly settings: Readonly<Record<string, string>>
    readonly ingestors: readonly ChildOptions[]
  },
): ChildOptions {
  return {
    name: 'console',
    entry: 'infra/console/main.ts',
    log_file: data_dir.join('logs', 'console.log'),
    env: {
      DATABASE_URL: database_url,
      CONSOLE_PORT: String(port),
      CONSOLE_OPEN_TO_READ: '1',
      CONSOLE_TOKENS:
        `operator:operate:${data_dir.secrets.console_token},` +
        `prometheus:read:${data_dir.secrets.metrics_token}`,
      // Known also where Postgres is away when the console starts.
      CONSOLE_INGESTORS: ingestors
        .map(({ env }) => `unix:${join(env['TAPE_DIR']!, SOCKET_NAME)}`)
        .join(','),
      ...settings,
      ...storeEnvironment(store),
    },
  }
}

export function gatewayProgram(data_dir: DataDir, port: number, edge_url: string): ChildOptions {
  return {
    name: 'gateway',
    entry: 'edge-api/gateway/main.ts',
    log_file: data_dir.join('logs', 'gateway.log'),
    env: {
      HOST: '127.0.0.1',
      PORT: String(port),
      DATABASE_URL: edge_url,
      GATEWAY_SECRET: data_dir.secrets.gateway_secret,
    },
  }
}

export function clustersProgram(
  data_dir: DataDir,
  port: number,
  { database_url, store }: { readonly database_url: string; readonly store: ObjectStoreConfig },
): ChildOptions {
  return {
    name: 'cluster engine',
    entry: 'jobs/clusters/main.ts',
    log_file: data_dir.join('logs', 'clusters.log'),
    env: {
      DATABASE_URL: database_url,
      CLUSTERS_PORT: String(port),
      CLUSTERS_SECRET: data_dir.secrets.clusters_secret,
      ...storeEnvironment(store),
    },
  }
}

/**
 * V8 lets a heap grow to several times of what is in use, if the machine has much memory. Under the
 * limits of systemd and of the compose file the heap is as small by itself.
 */
export const LIVE_NODE_OPTIONS = '--max-old-space-size=192'

/** It listens on loopback only, so every caller is trusted. */
export function liveProgram(
  data_dir: DataDir,
  port: number,
  {
    database_url,
    clusters_url,
    store,
    ingestor,
  }: {
    readonly database_url: string
    readonly clusters_url: string
    readonly store: ObjectStoreConfig
    /** Whose tape it follows. */
    readonly ingestor: ChildOptions
  },
): ChildOptions {
  const { INGESTOR_ID, TAPE_DIR, ...env } = ingestor.env
  const shared = ['TRADE_STREAM', 'INCLUDE_COIN_M'].filter((name) => env[name] !== undefined)
  return {
    name: 'live server',
    entry: 'ingestor/live/main.ts',
    log_file: data_dir.join('logs', 'live.log'),
    env: {
      DATABASE_URL: database_url,
      LIVE_TAPES: `${INGESTOR_ID}=${TAPE_DIR}`,
      LIVE_PORT: String(port),
      LIVE_PUBLIC: 'true',
      NODE_OPTIONS: LIVE_NODE_OPTIONS,
      CLUSTERS_URL: clusters_url,
      CLUSTERS_SECRET: data_dir.secrets.clusters_secret,
      ...Object.fromEntries(shared.map((name) => [name, env[name]!])),
      ...storeEnvironment(store),
    },
  }
}

export function workerProgram(
  data_dir: DataDir,
  port: number,
  bindings: {
    readonly database_url: string
    readonly gateway_url: string
    /** Null: there is no live server. */
    readonly live_url: string | null
    readonly clusters_url: string
    readonly store: ObjectStoreConfig
  },
): ChildOptions {
  const environment = {
    DATABASE_URL: bindings.database_url,
    GATEWAY_URL: bindings.gateway_url,
    GATEWAY_SECRET: data_dir.secrets.gateway_secret,
    TOKEN_SECRET: data_dir.secrets.token_secret,
    // The worker listens on loopback only, so every caller is trusted.
    PUBLIC_READ: 'read,datasets,ops,live',
    LIVE_URL: bindings.live_url ?? '',
    CLUSTERS_URL: bindings.clusters_url,
    CLUSTERS_SECRET: data_dir.secrets.clusters_secret,
    ...storeEnvironment(bindings.store),
  }
  return {
    name: 'edge worker',
    entry: 'infra/local/worker-main.ts',
    log_file: data_dir.join('logs', 'edge-worker.log'),
    env: {
      PORT: String(port),
      BUNDLE_DIR: data_dir.join('work', 'worker'),
      WORKERD_DIR: data_dir.join('work', 'workerd'),
      REVOKED_FILE: data_dir.join('revoked-tokens'),
      ...Object.fromEntries(
        Object.entries(environment).map(([name, value]) => [`BINDING_${name}`, value]),
      ),
    },
  }
}

function storeEnvironment(store: ObjectStoreConfig): Record<string, string> {
  return {
    S3_ENDPOINT: store.endpoint,
    S3_BUCKET: store.bucket,
    S3_REGION: store.region,
    S3_ACCESS_KEY_ID: store.access_key_id,
    S3_SECRET_ACCESS_KEY: store.secret_access_key,
  }
}
