/**
 * Metrics of an ingestor, both threads in one registry: the figures of GET /status for Prometheus.
 * The writer's thread sends its counts and its commits to this thread.
 */
import { createMetrics, one, type Labels, type Metrics, type Readings } from '#core/node/metrics.ts'
import type { CommitMeter } from '../commit-meter.ts'
import type { ThreadUsage } from '../writer/thread.ts'
import { addHealth } from './health-metrics.ts'
import type { StatusView, StreamView } from './view.ts'

export interface IngestorMetrics {
  readonly content_type: string
  /** A request to the admin API was answered. */
  noteRequest(method: string, path: string, status: number): void
  text(): Promise<string>
}

export interface MetricSources {
  readonly commits: CommitMeter
  /** Called once per scrape. */
  status(): StatusView
  streams(): Promise<readonly StreamView[]>
  /** False: no metric has a label `symbol`. */
  readonly has_symbol_metrics: boolean
  writerUsage(): Promise<ThreadUsage>
  viewerCount(): number
  changeCount(): number
}

const STATES = ['starting', 'live', 'catching_up', 'database_away', 'tape_full', 'paused']
/** Around the figure to hold: 0.3 s at 10,000 events/s. */
const LAG_BUCKETS_S = [0.01, 0.025, 0.05, 0.1, 0.2, 0.3, 0.5, 1, 2, 5, 10, 30, 60, 300]
/** Up to BATCH_ROWS_MAX and beyond. */
const ROW_BUCKETS = [1, 10, 50, 100, 250, 500, 1_000, 2_500, 5_000, 10_000, 20_000, 50_000]

export function createIngestorMetrics(sources: MetricSources): IngestorMetrics {
  const metrics = createMetrics('ingestor')
  let status = sources.status()
  let streams: readonly StreamView[] = []
  let writer: ThreadUsage = { busy_s: 0, heap_used_bytes: 0 }
  addFeed(metrics, () => status)
  addWriter(metrics, () => status, sources.commits)
  addGaps(metrics, () => status)
  addHealth(metrics, () => streams)
  addThreads(metrics, () => writer)
  if (sources.has_symbol_metrics) addSymbols(metrics, () => streams)
  const countRequest = metrics.count({
    name: 'control_requests_total',
    help: 'Requests to the admin API, by route and status.',
    labels: ['method', 'path', 'status'],
  })
  metrics.gauge({ name: 'control_viewers', help: 'Viewers of GET /events.' }, () =>
    one(sources.viewerCount()),
  )
  metrics.counter(
    { name: 'control_changes_total', help: 'Changes of the wanted state, over all runs.' },
    () => one(sources.changeCount()),
  )
  return {
    content_type: metrics.content_type,
    noteRequest: (method, path, code) => countRequest({ method, path, status: String(code) }),
    async text() {
      status = sources.status()
      ;[streams, writer] = await Promise.all([sources.streams(), sources.writerUsage()])
      return metrics.text()
    },
  }
}

function addFeed(metrics: Metrics, status: () => StatusView): void {
  const { gauge, counter } = metrics
  gauge(
    {
      name: 'ingestor_info',
      help: 'Identity of the ingestor; always 1.',
      labels: ['ingestor_id', 'exchange', 'version'],
    },
    () => {
      const { ingestor_id, exchange, version } = status().ingestor
      return [[{ ingestor_id, exchange, version }, 1]]
    },
  )
  gauge(
    {
      name: 'ingestor_state',
      help: '1 for the current state, 0 for the others.',
      labels: ['state'],
    },
    () => STATES.map((state) => [{ state }, state === status().state ? 1 : 0]),
  )
  counter({ name: 'ingestor_frames_received_total', help: 'Frames taken from sockets.' }, () =>
    one(status().feed.frames_received),
  )
  gauge({ name: 'ingestor_sockets', help: 'Sockets by their state.', labels: ['state'] }, () =>
    ['connecting', 'subscribing', 'ready'].map((state) => [
      { state },
      status().sockets.filter((socket) => socket.state === state).length,
    ]),
  )
  gauge({ name: 'ingestor_socket_age_seconds_max', help: 'Age of the oldest socket.' }, () =>
    one(Math.max(0, ...status().sockets.map(({ age_s }) => age_s))),
  )
  gauge({ name: 'ingestor_symbols', help: 'Symbols that are recorded.' }, () =>
    one(status().actual.symbol_count),
  )
  gauge(
    {
      name: 'ingestor_streams',
      help: 'Streams: wanted, and carried by a socket.',
      labels: ['channel', 'kind'],
    },
    () =>
      Object.entries(status().actual.channels).flatMap(([channel, { heard, wanted }]) => [
        [{ channel, kind: 'wanted' }, wanted],
        [{ channel, kind: 'heard' }, heard],
      ]),
  )
  gauge({ name: 'ingestor_streams_refused', help: 'Streams that the exchange refuses.' }, () =>
    one(status().actual.streams_refused),
  )
  gauge({ name: 'ingestor_tape_used_bytes', help: 'Size of the tape.' }, () =>
    one(status().tape.used_bytes),
  )
  gauge({ name: 'ingestor_tape_limit_bytes', help: 'Limit of the tape (TAPE_MAX_BYTES).' }, () =>
    one(status().tape.limit_bytes),
  )
  gauge(
    {
      name: 'ingestor_tape_backlog_bytes',
      help: 'Bytes on the tape that are not in Postgres yet.',
    },
    () => one(status().tape.backlog_bytes),
  )
  counter({ name: 'ingestor_clock_steps_total', help: "Steps of the system's clock." }, () =>
    one(status().clock.step_count),
  )
}

function addWriter(metrics: Metrics, status: () => StatusView, commits: CommitMeter): void {
  const { gauge, counter, histogram } = metrics
  for (const [name, help, counts] of [
    [
      'ingestor_rows_written_total',
      'Rows that are in the tables because of us.',
      () => status().writer.rows_committed,
    ],
    [
      'ingestor_rows_duplicate_total',
      'Events whose row was there already.',
      () => status().writer.duplicates,
    ],
    [
      'ingestor_rows_conflicting_total',
      'Events that contradict a row.',
      () => status().writer.conflicts,
    ],
  ] as const) {
    counter({ name, help, labels: ['table'] }, () => byTable(counts()))
  }
  for (const [name, help, value] of [
    [
      'ingestor_frames_rejected_total',
      'Frames and elements that could not be read.',
      () => status().writer.rejected,
    ],
    [
      'ingestor_frames_ignored_total',
      'Frames that were not asked for.',
      () => status().writer.ignored,
    ],
    [
      'ingestor_dead_letters_total',
      'Rows that Postgres refused.',
      () => status().writer.dead_letters,
    ],
    [
      'ingestor_batches_committed_total',
      'Transactions of the writer.',
      () => status().writer.batches_committed,
    ],
    [
      'ingestor_books_lost_total',
      'How often a book fell out of sequence.',
      () => status().books.lost_count,
    ],
  ] as const) {
    counter({ name, help }, () => one(value()))
  }
  gauge(
    { name: 'ingestor_lag_seconds', help: 'Longest wait for a commit in the last second.' },
    () => one(status().writer.lag_ms / 1_000),
  )
  gauge({ name: 'ingestor_database_away', help: '1 while Postgres cannot be written.' }, () =>
    one(status().writer.database_away ? 1 : 0),
  )
  gauge({ name: 'ingestor_books', help: 'Local order books.', labels: ['state'] }, () => {
    const { known, in_sequence } = status().books
    return [
      [{ state: 'in_sequence' }, in_sequence],
      [{ state: 'out_of_sequence' }, known - in_sequence],
    ]
  })
  const observeLag = histogram(
    { name: 'ingestor_commit_lag_seconds', help: "From a batch's oldest frame to its commit." },
    LAG_BUCKETS_S,
  )
  const observeRows = histogram(
    { name: 'ingestor_batch_rows', help: 'Rows of a batch.' },
    ROW_BUCKETS,
  )
  commits.onCommit(({ row_count, lag_ms }) => {
    observeLag(lag_ms / 1_000)
    observeRows(row_count)
  })
}

function addGaps(metrics: Metrics, status: () => StatusView): void {
  const { gauge, counter } = metrics
  counter({ name: 'ingestor_gaps_total', help: 'New rows of the gap ledger.' }, () =>
    one(status().gaps.gaps),
  )
  gauge(
    { name: 'ingestor_gaps_open', help: 'Gaps of the last 24 hours that are not closed.' },
    () => one(status().gaps.gaps_open),
  )
  gauge(
    { name: 'ingestor_streams_lost', help: 'Streams that should be received but are not.' },
    () => one(status().gaps.lost_streams),
  )
  gauge(
    {
      name: 'ingestor_stream_lost_age_seconds_max',
      help: 'Time since the oldest open loss was noticed.',
    },
    () => one(status().gaps.oldest_lost_stream_s),
  )
}

/** The process_ and nodejs_ metrics have the whole process, and the first thread. */
function addThreads({ gauge, counter }: Metrics, writer: () => ThreadUsage): void {
  counter(
    {
      name: 'ingestor_thread_busy_seconds_total',
      help: 'Time that the event loop of a thread was not idle: main (sockets, tape) and writer.',
      labels: ['thread'],
    },
    () => [
      [{ thread: 'main' }, performance.eventLoopUtilization().active / 1_000],
      [{ thread: 'writer' }, writer().busy_s],
    ],
  )
  gauge({ name: 'ingestor_writer_heap_used_bytes', help: "Heap of the writer's thread." }, () =>
    one(writer().heap_used_bytes),
  )
}

/** Bounded by the symbols that are recorded; METRICS_PER_SYMBOL=0 leaves them out. */
function addSymbols({ gauge }: Metrics, streams: () => readonly StreamView[]): void {
  const labels = ['symbol', 'channel']
  const labelsOf = ({ symbol, channel }: StreamView): Labels => ({ symbol, channel })
  gauge(
    { name: 'ingestor_stream_age_seconds', help: 'Since the last frame of the stream.', labels },
    () =>
      streams().flatMap((stream) =>
        stream.silent_ms === null ? [] : [[labelsOf(stream), stream.silent_ms / 1_000] as const],
      ),
  )
  gauge(
    {
      name: 'ingestor_stream_lost',
      help: '1 while the stream is lost.',
      labels,
    },
    () => streams().map((stream) => [labelsOf(stream), stream.lost === null ? 0 : 1]),
  )
  gauge(
    {
      name: 'ingestor_book_in_sequence',
      help: '1 while the local book is in sequence.',
      labels: ['symbol'],
    },
    () =>
      streams().flatMap(({ symbol, is_book_in_sequence: state }) =>
        state === null ? [] : [[{ symbol }, state ? 1 : 0] as const],
      ),
  )
}

function byTable(counts: Readonly<Record<string, number>>): Readings {
  return Object.entries(counts).map(([table, value]) => [{ table }, value])
}
