/** The metrics of the live server, for GET /metrics. */
import { createMetrics, type Metrics, one } from '#core/node/metrics.ts'
import type { Micros } from '#core/time.ts'
import type { ClusterViews } from './clusters/cluster-views.ts'
import type { LiveCounts } from './counts.ts'
import type { History } from './history/history.ts'
import type { Hub } from './hub.ts'
import type { Streams } from './streams.ts'
import { behindUs, type TapeFeed } from './tape-feed.ts'

export interface LiveMetrics {
  readonly metrics: Metrics
  /** From the receipt of a tick's oldest record until it is passed on. */
  noteDelay(delay_s: number): void
}

export interface LiveSources {
  readonly hub: Hub
  readonly streams: Streams
  readonly feeds: readonly TapeFeed[]
  readonly clusters: ClusterViews
  readonly counts: LiveCounts
  readonly history: History
  readonly now: () => Micros
}

const DELAY_BUCKETS_S = [0.005, 0.01, 0.02, 0.05, 0.1, 0.2, 0.5, 1, 2, 5, 10]

export function createLiveMetrics(sources: LiveSources): LiveMetrics {
  const { hub, streams, feeds, clusters, counts, history, now } = sources
  const metrics = createMetrics('live')
  const { gauge, counter } = metrics
  gauge({ name: 'live_clients', help: 'Connected clients, by kind.', labels: ['kind'] }, () =>
    (['websocket', 'sse', 'poll'] as const).map((kind) => [
      { kind },
      [...hub.sessions].filter(({ outlet }) => outlet.kind === kind).length,
    ]),
  )
  gauge({ name: 'live_subscriptions', help: 'Subscriptions of all clients.' }, () =>
    one([...hub.sessions].reduce((sum, session) => sum + session.subscriptions.size, 0)),
  )
  gauge({ name: 'live_waiting_bytes', help: 'Bytes that wait for clients.' }, () =>
    one([...hub.sessions].reduce((sum, session) => sum + session.waiting_bytes, 0)),
  )
  gauge({ name: 'live_memory_bytes', help: 'Messages that are kept to be resumed.' }, () =>
    one(streams.memory_bytes),
  )
  gauge({ name: 'live_streams', help: 'Streams that are known.' }, () => one(streams.stream_count))
  gauge({ name: 'live_cluster_views', help: 'Kinds of footprint bars that are followed.' }, () =>
    one(clusters.count),
  )
  const behind = { name: 'live_behind_seconds', help: 'Age of the oldest record not read yet.' }
  gauge(behind, () => one(behindUs(feeds, now()) / 1_000_000))
  counter({ name: 'live_records_total', help: 'Records read from tapes.' }, () =>
    one(feeds.reduce((sum, feed) => sum + feed.record_count, 0)),
  )
  counter({ name: 'live_messages_total', help: 'Messages made, each once for all clients.' }, () =>
    one(streams.message_count),
  )
  counter({ name: 'live_sent_bytes_total', help: 'Bytes written to clients.' }, () =>
    one(counts.sent_bytes),
  )
  counter({ name: 'live_skipped_total', help: 'Messages left out for slow clients.' }, () =>
    one(counts.skipped),
  )
  counter({ name: 'live_history_reads_total', help: 'Resumes that read the database.' }, () =>
    one(history.read_count),
  )
  const failures = 'Reads of footprint bars that the cluster engine did not answer.'
  counter({ name: 'live_cluster_failures_total', help: failures }, () =>
    one(counts.cluster_failures),
  )
  const named = (name: string, help: string, label: string, of: Readonly<Record<string, number>>) =>
    counter({ name, help, labels: [label] }, () =>
      Object.entries(of).map(([key, value]) => [{ [label]: key }, value] as const),
    )
  named('live_connections_total', 'Connections accepted.', 'kind', counts.connections)
  named('live_closes_total', 'Connections ended, by reason.', 'reason', counts.closes)
  named('live_resumes_total', 'Subscriptions with a cursor.', 'source', counts.resumes)
  named('live_faults_total', 'Requests refused, by code.', 'code', counts.faults)
  const noteDelay = metrics.histogram(
    {
      name: 'live_delay_seconds',
      help: 'From the receipt of the oldest record of a turn until it is passed on.',
    },
    DELAY_BUCKETS_S,
  )
  return { metrics, noteDelay }
}
