/** What GET /metrics of the cluster engine shows. */
import { createMetrics, type Metrics, one } from '#core/node/metrics.ts'
import type { Pool } from '#core/node/pool.ts'
import type { ClusterEngine } from './engine.ts'

export interface EngineMetrics {
  readonly metrics: Metrics
  noteRequest(route: string, status: number, elapsed_s: number): void
}

const SECONDS = [0.002, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10, 30]

export function createEngineMetrics(
  engine: ClusterEngine,
  pool: Pool,
  now: () => number,
): EngineMetrics {
  const metrics = createMetrics('clusters')
  const { counter, gauge } = metrics
  const { sync, keep_up, cache_counts } = engine
  counter(
    {
      name: 'clusters_hours_computed_total',
      help: 'Hours of a symbol of which minutes were computed.',
    },
    () => one(sync.counts.hours),
  )
  counter(
    { name: 'clusters_minutes_computed_total', help: 'Minutes computed from trades and stored.' },
    () => one(sync.counts.minutes),
  )
  gauge(
    { name: 'clusters_hours_waiting', help: 'Hours that are being computed, or wait for it.' },
    () => one(sync.running_count),
  )
  gauge(
    { name: 'clusters_symbols_kept_up', help: 'Symbols of the settings, and watched ones.' },
    () => one(keep_up.symbol_count),
  )
  gauge(
    { name: 'clusters_behind_seconds', help: 'Age of the newest minute that is kept up.' },
    () =>
      keep_up.reached === undefined ? [] : one(Math.max(0, now() / 1_000 - keep_up.reached / 1e6)),
  )
  counter(
    {
      name: 'clusters_cache_reads_total',
      help: 'Final bars looked up, by result.',
      labels: ['result'],
    },
    () => [
      [{ result: 'memory' }, cache_counts.memory_hits],
      [{ result: 'redis' }, cache_counts.shared_hits],
      [{ result: 'miss' }, cache_counts.misses],
    ],
  )
  gauge({ name: 'clusters_cache_bytes', help: 'Memory of the caches.' }, () =>
    one(engine.cache_bytes),
  )
  gauge(
    { name: 'clusters_connections', help: 'Connections to Postgres, by state.', labels: ['state'] },
    () => [
      [{ state: 'busy' }, pool.totalCount - pool.idleCount],
      [{ state: 'idle' }, pool.idleCount],
      [{ state: 'waiting' }, pool.waitingCount],
    ],
  )
  const observe = metrics.histogram(
    {
      name: 'clusters_request_seconds',
      help: 'Time to answer, by route and status.',
      labels: ['route', 'status'],
    },
    SECONDS,
  )
  return {
    metrics,
    noteRequest: (route, status, elapsed_s) =>
      observe(elapsed_s, { route, status: String(status) }),
  }
}
