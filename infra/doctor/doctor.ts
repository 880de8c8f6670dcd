/** Which looks a set of programs asks for, and what all of them found. */
import type { ObjectStoreConfig } from '#core/node/object-store.ts'
import {
  DAEMON_CONNECTIONS,
  HEAVY_CONNECTIONS,
  HEAVY_PROCESSES,
} from '../../jobs/schedule/connections.ts'
import { certificateCheck } from './certificate.ts'
import { databaseCheck } from './database.ts'
import { tapeChecks, workDirCheck } from './disk.ts'
import { exchangeChecks, indexPricesCheck } from './exchange.ts'
import { type Check, type Finding, runChecks } from './finding.ts'
import type { Database, Login } from './login.ts'
import { liveChecks } from './live.ts'
import { machineCheck } from './machine.ts'
import { objectStoreCheck } from './object-store.ts'
import { configure, type Configured, type Program } from './programs.ts'
import { createRedactor } from './redact.ts'

/** A look may take so long; there are three stages of them. */
export const CHECK_LIMIT_MS = 15_000
/** jobs/clusters/main.ts: two compute, the third looks up. */
const CLUSTERS_CONNECTIONS = 3
/** One for rows, one for repair, one for the heartbeat. */
const INGESTOR_CONNECTIONS = 3

export async function examine(
  programs: readonly Program[],
  limit_ms = CHECK_LIMIT_MS,
): Promise<readonly Finding[]> {
  const { findings, configured } = configure(programs)
  const found = await runChecks(stagesOf(configured), limit_ms)
  return [...findings, ...found].map(createRedactor(programs.map(({ env }) => env)))
}

/** Disks come first, by themselves: what else is busy would be measured with them. */
function stagesOf(configured: readonly Configured[]): readonly (readonly Check[])[] {
  const ingestors = configured.filter((one) => one.kind === 'ingestor')
  const jobs = configured.filter((one) => one.kind === 'jobs')
  const gateways = configured.filter((one) => one.kind === 'gateway')
  const lives = configured.filter((one) => one.kind === 'live')
  const tapes = ingestors.flatMap(({ config }) => tapeChecks(config.tape))
  return [
    [
      machineCheck(ingestors.map(({ config }) => config.tape.dir)),
      ...jobs.map(({ config }) => workDirCheck(config.work_dir)),
      ...gateways.flatMap(({ config }) =>
        config.tls === undefined ? [] : [certificateCheck(config.tls)],
      ),
    ],
    ...tapes.map((check) => [check]),
    [
      ...ingestors.flatMap(({ config }) => exchangeChecks(config)),
      ...jobs.flatMap(({ config: { index_prices } }) =>
        index_prices === undefined ? [] : [indexPricesCheck(index_prices.rest_url)],
      ),
    ],
    [
      ...databasesOf(configured).map(databaseCheck),
      ...storesOf(configured).map(objectStoreCheck),
      ...lives.flatMap(({ config }) => liveChecks(config)),
    ],
  ]
}

/** Programs whose login must have certain rights. */
type WithLogin = Exclude<Configured, { readonly kind: 'live' }>

/** Programs that share a store are looked at once. */
function storesOf(configured: readonly Configured[]): readonly ObjectStoreConfig[] {
  const stores = configured.flatMap(({ config }) =>
    'object_store' in config ? [config.object_store] : [],
  )
  return [...new Map(stores.map((store) => [JSON.stringify(store), store])).values()]
}

/** Programs that share a login are looked at once. */
function databasesOf(configured: readonly Configured[]): readonly Database[] {
  const with_login = configured.filter((one): one is WithLogin => one.kind !== 'live')
  const loginOf = ({ kind }: WithLogin): Login => (kind === 'gateway' ? 'reader' : 'writer')
  const groups = Map.groupBy(with_login, (one) => `${loginOf(one)} ${one.config.database_url}`)
  return [...groups.values()].map((group) => ({
    database_url: group[0]!.config.database_url,
    login: loginOf(group[0]!),
    programs: group.map(({ name }) => name).join(', '),
    connection_count: group.reduce((sum, one) => sum + connectionsOf(one), 0),
  }))
}

function connectionsOf({ kind, config }: WithLogin): number {
  switch (kind) {
    case 'ingestor':
      return INGESTOR_CONNECTIONS
    case 'jobs':
      return DAEMON_CONNECTIONS + HEAVY_PROCESSES * HEAVY_CONNECTIONS + config.features.thread_count
    case 'gateway':
      return config.limits.pool_max
    case 'clusters':
      return CLUSTERS_CONNECTIONS
  }
}
