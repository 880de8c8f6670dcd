/**
 * `npm start`: the whole stack on one machine. Starts the programs in the order of their
 * dependencies, prints the URLs, shows a live status line, and stops everything in reverse order.
 */
import { describeError } from '#core/errors.ts'
import { createLogger } from '#core/node/log.ts'
import type { ProcessIdentity } from '#core/node/process-table.ts'
import { onShutdown } from '#core/node/shutdown.ts'
import { adapterFor } from '../../ingestor/exchanges/registry.ts'
import { isStatus } from '../../ingestor/messages.ts'
import type { ChildMessage, ChildOptions } from './child.ts'
import { type DataDir, openDataDir, type StackFile } from './data-dir.ts'
import { prepareDatabase } from './database.ts'
import type { VenueName } from '../exchange/venue.ts'
import { startPlaying } from './exchange-client.ts'
import { type Feed, streamsOf } from './feed.ts'
import { watchLauncher } from './launcher.ts'
import { withMetrics, writePrometheusFiles } from './metrics.ts'
import { freePorts, portsFrom } from './ports.ts'
import {
  clustersProgram,
  consoleProgram,
  exchangeProgram,
  gatewayProgram,
  indexIngestorProgram,
  ingestorProgram,
  jobsProgram,
  liveProgram,
  objectStoreConfig,
  objectStoreProgram,
  workerProgram,
} from './programs.ts'
import { budgetLine, jobsSettings, LOCAL_POSTGRES_SETTINGS } from './disk-budget.ts'
import { createStatusLine, type StatusLine } from './status-line.ts'
import { createSupervisor, type Supervisor } from './supervisor.ts'

export interface StartOptions {
  readonly feed: Feed
  /** The exchange to simulate or record; a recording names its own. */
  readonly exchange: VenueName
  readonly symbols: readonly string[] | undefined
  readonly data_dir: string
  readonly port_base: number | undefined
  /** The stack stops when its launcher is gone. */
  readonly launcher: ProcessIdentity | undefined
  /** Mean rate of the simulated market, over all symbols. */
  readonly events_per_s: number
  /** How Deribit's index prices are recorded: from its socket, over REST once a minute, or not. */
  readonly index_prices: 'socket' | 'poll' | 'off'
  /** Disk space for Postgres, in gigabytes; 0: no limit. */
  readonly disk_budget_gb: number
}

/** How often today's dataset is rebuilt, so that a new user has a file within a minute. */
const INTRADAY_FEATURES_S = 60
/** Recorded indexes, each with the symbol whose simulated market moves it. */
const INDEXES: readonly (readonly [name: string, symbol: string])[] = [
  ['btc_usd', 'BTCUSDT'],
  ['eth_usd', 'ETHUSDT'],
]

interface Ports {
  readonly edge: number
  readonly console: number
  readonly postgres: number
  readonly store: number
  readonly exchange: number
  readonly gateway: number
  readonly live: number
  readonly clusters: number
  /** Of GET /metrics. */
  readonly metrics: {
    readonly ingestor: number
    readonly index_ingestor: number
    readonly jobs: number
    readonly gateway: number
    readonly live: number
    readonly clusters: number
  }
}

const PORT_COUNT = 14

/** Runs until a signal, then exits the process. */
export async function runStart(options: StartOptions): Promise<void> {
  const ports = await choosePorts(options.port_base)
  const data_dir = await openDataDir(options.data_dir, options.launcher)
  const line = createStatusLine(process.stdout)
  const supervisor = createSupervisor(data_dir, line.say, (reason) => {
    line.say(reason)
    shutdown.begin('fatal', 1)
  })
  const shutdown = onShutdown(
    createLogger('stack', 'error'),
    async (reason) => {
      line.say(`Stopping (${reason}). The ingestor stops first and commits what it received.`)
      await supervisor.stopAll()
      data_dir.release()
      line.say('Stopped.')
    },
    120_000,
  )
  watchLauncher(options.launcher, () => shutdown.begin('the launcher is gone'))
  try {
    await startEverything(options, ports, data_dir, supervisor, line)
  } catch (error) {
    if (shutdown.signal.aborted) return
    line.say(`booktape could not start. ${describeError(error)}`)
    shutdown.begin('start_failed', 1)
  }
}

async function choosePorts(base: number | undefined): Promise<Ports> {
  const ports = base === undefined ? await freePorts(PORT_COUNT) : await portsFrom(base, PORT_COUNT)
  const [edge, postgres, store, exchange, gateway, own_console, ...others] = ports
  const [of_ingestor, of_index_ingestor, of_jobs, of_gateway, live, of_live, ...more] = others
  const [clusters, of_clusters] = more
  return {
    edge: edge!,
    postgres: postgres!,
    store: store!,
    exchange: exchange!,
    gateway: gateway!,
    console: own_console!,
    live: live!,
    clusters: clusters!,
    metrics: {
      ingestor: of_ingestor!,
      index_ingestor: of_index_ingestor!,
      jobs: of_jobs!,
      gateway: of_gateway!,
      live: of_live!,
      clusters: of_clusters!,
    },
  }
}

async function startEverything(
  options: StartOptions,
  ports: Ports,
  data_dir: DataDir,
  supervisor: Supervisor,
  line: StatusLine,
): Promise<void> {
  line.say('booktape is starting ...')
  const { feed } = options
  const [urls, store, exchange_url] = await Promise.all([
    supervisor
      .startPostgres({
        dir: data_dir.join('postgres'),
        port: ports.postgres,
        password: data_dir.secrets.postgres_password,
        settings: LOCAL_POSTGRES_SETTINGS,
      })
      .then((postgres) => prepareDatabase(postgres.url, data_dir.secrets.edge_password)),
    supervisor
      .start(objectStoreProgram(data_dir, ports.store))
      .then((ready) => objectStoreConfig(data_dir, ready)),
    startExchange(options, data_dir, ports.exchange, supervisor),
  ])
  const names = indexNames(options)
  const settings = jobsSettings(options.disk_budget_gb)
  const gateway_url = `http://127.0.0.1:${ports.gateway}`
  const token = data_dir.secrets.metrics_token
  const gateway = withMetrics(
    gatewayProgram(data_dir, ports.gateway, urls.edge_url),
    ports.metrics.gateway,
    token,
  )
  const plain_jobs = jobsProgram(
    data_dir,
    urls.owner_url,
    store,
    feed.kind === 'none' ? 0 : INTRADAY_FEATURES_S,
    settings,
    names.length > 0 && options.index_prices === 'poll' ? { names, exchange_url } : undefined,
  )
  const jobs = withMetrics(plain_jobs, ports.metrics.jobs, token)
  const plain_ingestor = ingestorOf(options, data_dir, urls.owner_url, exchange_url, line)
  const ingestor = plain_ingestor && withMetrics(plain_ingestor, ports.metrics.ingestor, token)
  const clusters_url = `http://127.0.0.1:${ports.clusters}`
  const clusters = withMetrics(
    clustersProgram(data_dir, ports.clusters, { database_url: urls.owner_url, store }),
    ports.metrics.clusters,
    token,
  )
  const live =
    ingestor &&
    withMetrics(
      liveProgram(data_dir, ports.live, {
        database_url: urls.edge_url,
        clusters_url,
        store,
        ingestor,
      }),
      ports.metrics.live,
      token,
    )
  const live_url = live === undefined ? null : `http://127.0.0.1:${ports.live}`
  const index_ingestor =
    names.length > 0 && options.index_prices === 'socket'
      ? withMetrics(
          indexIngestorProgram(data_dir, { database_url: urls.owner_url, exchange_url, names }),
          ports.metrics.index_ingestor,
          token,
        )
      : undefined
  const own_console = consoleProgram(data_dir, ports.console, {
    database_url: urls.owner_url,
    store,
    settings,
    ingestors: [ingestor, index_ingestor].filter((program) => program !== undefined),
  })
  const [worker, { url: console_url }] = await Promise.all([
    supervisor.start(
      workerProgram(data_dir, ports.edge, {
        database_url: urls.edge_url,
        gateway_url,
        live_url,
        clusters_url,
        store,
      }),
    ),
    supervisor.start(own_console),
    supervisor.start(gateway),
    supervisor.start(jobs),
    supervisor.start(clusters),
  ])
  const stack: StackFile = {
    postgres_url: urls.owner_url,
    edge_url: String(worker['url']).replace(/\/$/, ''),
    console_url: String(console_url),
    console_token: data_dir.secrets.console_token,
    gateway_url,
    live_url,
    clusters_url,
    exchange_url:
      feed.kind === 'live' ? adapterFor(options.exchange).rest_url : (exchange_url ?? null),
    object_store: store,
    jobs_settings: settings,
    environments: Object.fromEntries(
      [gateway, jobs, ingestor, index_ingestor, live, clusters].flatMap((program) =>
        program === undefined ? [] : [[program.name, program.env]],
      ),
    ),
  }
  data_dir.writeStackFile(stack)
  writePrometheusFiles(data_dir, {
    ingestor: [
      ...(ingestor === undefined ? [] : [ports.metrics.ingestor]),
      ...(index_ingestor === undefined ? [] : [ports.metrics.index_ingestor]),
    ],
    jobs: [ports.metrics.jobs],
    gateway: [ports.metrics.gateway],
    console: [ports.console],
    live: live === undefined ? [] : [ports.metrics.live],
    clusters: [ports.metrics.clusters],
  })
  line.say(describeStack(stack, options))

  if (ingestor === undefined) return
  if (index_ingestor !== undefined) {
    // Not awaited: Deribit may be unreachable while the rest works.
    supervisor.start(index_ingestor).catch((error: unknown) => {
      line.say(`Index prices are not recorded. ${describeError(error)}`)
    })
  }
  await supervisor.start(ingestor)
  // It waits for the tape.
  await supervisor.start(live!)
  if (feed.kind === 'recording') await startPlaying(exchange_url!)
}

/** Undefined where there is no feed. */
function ingestorOf(
  { feed, exchange, symbols }: StartOptions,
  data_dir: DataDir,
  database_url: string,
  exchange_url: string | undefined,
  line: StatusLine,
): ChildOptions | undefined {
  if (feed.kind === 'none') return undefined
  const summary = feed.kind === 'recording' ? feed.summary : undefined
  return ingestorProgram(data_dir, {
    database_url,
    ingestor_id: 'local',
    tape_dir: data_dir.join('tape'),
    exchange: summary?.exchange ?? exchange,
    exchange_url,
    symbols: symbols ?? summary?.symbols,
    streams: summary === undefined ? undefined : streamsOf(summary),
    onMessage: (message) => showStatus(message, line),
  })
}

/** The indexes to record. A recording plays only its own symbols, so it has none. */
function indexNames({ feed, symbols }: StartOptions): readonly string[] {
  if (feed.kind !== 'sim' && feed.kind !== 'live') return []
  const moved = INDEXES.filter(
    ([, symbol]) => feed.kind === 'live' || symbols === undefined || symbols.includes(symbol),
  )
  return moved.map(([name]) => name)
}

/** The exchange server's URL; undefined if the feed needs no server. */
async function startExchange(
  { feed, exchange, symbols, events_per_s }: StartOptions,
  data_dir: DataDir,
  port: number,
  supervisor: Supervisor,
): Promise<string | undefined> {
  if (feed.kind === 'live' || feed.kind === 'none') return undefined
  const source =
    feed.kind === 'sim'
      ? ({ kind: 'sim', exchange, symbols, events_per_s } as const)
      : ({ kind: 'replay', files: [feed.file], speed: 'real' } as const)
  const ready = await supervisor.start(exchangeProgram(data_dir, port, source))
  return String(ready['url']).replace(/\/$/, '')
}

function showStatus(message: ChildMessage, line: StatusLine): void {
  if (isStatus(message)) line.update(message)
}

function describeStack(stack: StackFile, options: StartOptions): string {
  const { feed, exchange, data_dir, disk_budget_gb } = options
  const postgres = new URL(stack.postgres_url)
  const market = {
    sim: 'The market is simulated: prices and trades are made up, and no exchange is connected.',
    live: `The market is real: ${exchange}.`,
    none: 'There is no feed: you can read only data recorded before.',
    recording: 'The market is a recording, played at its original speed.',
  }[feed.kind]
  return [
    `booktape is running. ${market}`,
    `  edge API      ${stack.edge_url}`,
    `  console       ${stack.console_url}`,
    ...(stack.live_url === null ? [] : [`  live stream   ${stack.live_url}/v1/live`]),
    `  API docs      ${stack.edge_url}/docs`,
    `  Postgres      postgres://${postgres.username}@${postgres.host}${postgres.pathname}`,
    `  object store  ${stack.object_store.endpoint} (bucket ${stack.object_store.bucket})`,
    `  passwords     ${data_dir}/stack.json`,
    `  disk          ${budgetLine(disk_budget_gb, feed.kind === 'sim' ? options.events_per_s : undefined)}`,
    'Ctrl-C stops everything; the next start continues with the same data.',
  ].join('\n')
}
