/** Metrics of the console: its viewers, and its outside view of the installation. */
import { createMetrics, type Metrics, one } from '#core/node/metrics.ts'
import type { Snapshot } from './wire.ts'

export interface ConsoleMetrics {
  readonly exposed: Pick<Metrics, 'content_type' | 'text'>
  noteRequest(method: string, path: string, status: number): void
}

export interface ConsoleSources {
  snapshot(): Snapshot
  viewerCount(): number
}

const LEVELS: readonly Snapshot['level'][] = ['ok', 'warn', 'bad']

export function createConsoleMetrics({ snapshot, viewerCount }: ConsoleSources): ConsoleMetrics {
  const metrics = createMetrics('console')
  const { gauge } = metrics
  const countRequest = metrics.count({
    name: 'console_requests_total',
    help: 'Requests to the API of the console, by route and status.',
    labels: ['method', 'path', 'status'],
  })
  gauge({ name: 'console_viewers', help: 'Open pages.' }, () => one(viewerCount()))
  gauge(
    { name: 'console_level', help: '1 for the level of the sentence of state.', labels: ['level'] },
    () => {
      const { level } = snapshot()
      return LEVELS.map((name) => [{ level: name }, name === level ? 1 : 0])
    },
  )
  gauge(
    { name: 'console_troubles', help: 'Troubles on the overview, by code.', labels: ['code'] },
    () => {
      const groups = Map.groupBy(snapshot().troubles, ({ code }) => code)
      return [...groups].map(([code, troubles]) => [{ code }, troubles.length])
    },
  )
  gauge({ name: 'console_database_up', help: '1 if Postgres answers the console.' }, () =>
    one(snapshot().database.is_up ? 1 : 0),
  )
  gauge({ name: 'console_object_store_up', help: '1 if the object store answers it.' }, () =>
    one(snapshot().store.is_up ? 1 : 0),
  )
  const labels = ['ingestor_id']
  gauge(
    {
      name: 'console_ingestor_heartbeat_age_seconds',
      help: 'Since the last heartbeat in marketdata.ingestors, of each that did not say it stops.',
      labels,
    },
    () =>
      snapshot().ingestors.flatMap(({ ingestor_id, seen_s, reach }) =>
        seen_s === null || reach === 'stopped' ? [] : [[{ ingestor_id }, seen_s] as const],
      ),
  )
  gauge(
    {
      name: 'console_ingestor_answers',
      help: '1 if its admin API answers; absent where it cannot be asked from here.',
      labels,
    },
    () =>
      snapshot()
        .ingestors.filter(({ reach }) => reach === 'answers' || reach === 'silent')
        .map(({ ingestor_id, reach }) => [{ ingestor_id }, reach === 'answers' ? 1 : 0]),
  )
  return {
    exposed: metrics,
    noteRequest: (method, path, status) => countRequest({ method, path, status: String(status) }),
  }
}
