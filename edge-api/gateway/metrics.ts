/** Metrics of the gateway: requests, queries, the pool, and what was refused. */
import { createMetrics, type Metrics, one } from '#core/node/metrics.ts'

/** What is read at a scrape. */
export interface GatewayState {
  readonly running_count: number
  readonly concurrency_max: number
  /** Of the pool. */
  readonly connections: {
    readonly busy: number
    readonly idle: number
    readonly waiting: number
    readonly max: number
  }
  /** Postgres did not answer the last query. */
  readonly is_database_away: boolean
}

/** Why a request got no answer from Postgres. */
export type RefusalReason = 'path' | 'secret' | 'database' | 'busy' | 'database_away'

export interface GatewayMetrics {
  noteRequest(route: string, status: number, elapsed_s: number): void
  noteQuery(elapsed_s: number, row_count: number): void
  noteRefused(reason: RefusalReason): void
  readonly exposed: Pick<Metrics, 'content_type' | 'text'>
}

/** Up to STATEMENT_TIMEOUT_MS and beyond. */
const BUCKETS_S = [0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10]
const REASONS: readonly RefusalReason[] = ['path', 'secret', 'database', 'busy', 'database_away']

export function createGatewayMetrics(state: () => GatewayState): GatewayMetrics {
  const metrics = createMetrics('gateway')
  const countRequest = metrics.count({
    name: 'gateway_requests_total',
    help: 'Requests by route and status.',
    labels: ['route', 'status'],
  })
  const observeRequest = metrics.histogram(
    { name: 'gateway_request_duration_seconds', help: 'Until the answer.', labels: ['route'] },
    BUCKETS_S,
  )
  const observeQuery = metrics.histogram(
    { name: 'gateway_query_seconds', help: 'Queries that Postgres answered, with their wait.' },
    BUCKETS_S,
  )
  const countRows = metrics.count({ name: 'gateway_rows_total', help: 'Rows sent.' })
  const countRefused = metrics.count({
    name: 'gateway_refused_total',
    help: 'Requests that were not given to Postgres, or that it could not take, by reason.',
    labels: ['reason'],
  })
  for (const reason of REASONS) countRefused({ reason }, 0)
  metrics.gauge({ name: 'gateway_requests_running', help: 'Requests that run or wait.' }, () =>
    one(state().running_count),
  )
  metrics.gauge(
    { name: 'gateway_requests_running_limit', help: 'CONCURRENCY_MAX: more get a 503.' },
    () => one(state().concurrency_max),
  )
  metrics.gauge(
    {
      name: 'gateway_pool_connections',
      help: 'Connections to Postgres; waiting: queries that wait for one.',
      labels: ['state'],
    },
    () => {
      const { busy, idle, waiting } = state().connections
      return [
        [{ state: 'busy' }, busy],
        [{ state: 'idle' }, idle],
        [{ state: 'waiting' }, waiting],
      ]
    },
  )
  metrics.gauge({ name: 'gateway_pool_connections_limit', help: 'POOL_MAX.' }, () =>
    one(state().connections.max),
  )
  metrics.gauge(
    {
      name: 'gateway_database_away',
      help: '1 from the moment that Postgres did not answer until it does (the breaker).',
    },
    () => one(state().is_database_away ? 1 : 0),
  )
  return {
    exposed: metrics,
    noteRequest(route, status, elapsed_s) {
      countRequest({ route, status: String(status) })
      observeRequest(elapsed_s, { route })
    },
    noteQuery(elapsed_s, row_count) {
      observeQuery(elapsed_s)
      countRows({}, row_count)
    },
    noteRefused: (reason) => countRefused({ reason }),
  }
}
