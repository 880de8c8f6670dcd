/**
 * The admin API of one ingestor: shows its state and applies an operator's changes. Recording does
 * not depend on it: if the socket cannot be opened, the ingestor logs that and records anyway.
 */
import { hostname } from 'node:os'
import { describeError } from '#core/errors.ts'
import { createDoorApp, type DoorApp } from '#core/node/door/app.ts'
import { type OpenDoor, openTcpDoor, openUnixDoor } from '#core/node/door/listen.ts'
import { openMetricsDoor } from '#core/node/door/metrics-door.ts'
import type { Logger } from '#core/node/log.ts'
import { version } from '#core/node/version.ts'
import { withDeadline } from '#core/waiting.ts'
import { desiredBy, type IngestorConfig } from '../config.ts'
import type { Recorder } from '../recorder.ts'
import { openAuditLog } from './audit-log.ts'
import { createChanges } from './changes.ts'
import type { StartingPoint } from './desired.ts'
import { createEventHub } from '#core/node/door/events.ts'
import { createIngestorMetrics } from './metrics.ts'
import { startReporter } from './reporter.ts'
import { addRoutes } from './routes.ts'
import { type Identity, statusView, type StatusView, type StreamView, streamViews } from './view.ts'

export interface Control {
  readonly endpoints: readonly string[]
  /** Closes the admin API. */
  close(): Promise<void>
  /** Reports the end of the recorder to the database. Call it after the recorder has stopped. */
  reportEnd(): Promise<void>
}

/** HTTP statuses of the errors that a change can cause. */
const STATUSES: Readonly<Record<string, number>> = {
  symbol_not_listed: 422,
  no_symbols: 422,
  no_channels: 422,
  depth_symbol_not_recorded: 422,
  no_turnover: 422,
  not_started: 503,
  audit_unwritable: 503,
  answer_unwritable: 503,
  plan_timeout: 503,
  bad_listing: 503,
  rest_failed: 503,
  rest_refused: 503,
  rest_too_large: 503,
  rest_queue_full: 503,
  rest_stopped: 503,
}
/** A stream report costs the writer's thread some milliseconds: callers share one. */
const REPORT_MS = 1_000
const WRITER_MS = 2_000

/** Errors: OperatorError control_port_taken. */
export async function startControl(
  config: IngestorConfig,
  recorder: Recorder,
  start: StartingPoint,
  log: Logger,
): Promise<Control> {
  const { ingestor_id, exchange, control, tape, database_url } = config
  const identity: Identity = {
    ingestor_id,
    exchange,
    host: hostname(),
    pid: process.pid,
    version: version(),
    started_at: new Date(Date.now() - process.uptime() * 1_000).toISOString(),
  }
  const audit = openAuditLog(tape.dir)
  const from_environment = desiredBy(config)
  const unwritten = [...audit.entries()]
  let wakeReporter = (): void => undefined
  const changes = createChanges({
    dir: tape.dir,
    instance: ingestor_id,
    steering: recorder.steering,
    start,
    from_environment,
    log,
    audit,
    onChanged(entry) {
      unwritten.push(entry)
      wakeReporter()
      // The change is applied later in this turn.
      queueMicrotask(() => events.changed())
    },
  })
  const endpoints: string[] = []
  const status = (): StatusView =>
    statusView({ identity, endpoints, recorder, changes, now_ms: Date.now() })
  const events = createEventHub(status, () => `${recorder.status().state} ${changes.etag}`)
  const streams = shared(() => readStreams(recorder))
  const metrics = createIngestorMetrics({
    commits: recorder.commits,
    status,
    streams,
    has_symbol_metrics: control.has_symbol_metrics,
    writerUsage: () => recorder.writerUsage(),
    viewerCount: () => events.viewer_count,
    changeCount: () => changes.revision,
  })
  const app = createDoorApp({
    tokens: control.tokens,
    hosts: control.hosts,
    statuses: STATUSES,
    log,
    onAnswered: metrics.noteRequest,
  })
  addRoutes(app, {
    status,
    streams,
    symbols: () => recorder.steering.names,
    audit: () => audit.entries(),
    metrics: async () => ({ type: metrics.content_type, text: await metrics.text() }),
    from_environment,
    changes,
    events,
  })
  const doors = [...(await openDoors(app, control, log))]
  endpoints.push(...doors.map(({ endpoint }) => endpoint))
  // It only serves metrics, so it is no endpoint of the admin API.
  if (config.metrics !== undefined) {
    doors.push(await openMetricsDoor(config.metrics, metrics, log))
  }
  const reporter = startReporter({ database_url, ingestor_id, unwritten, log, status })
  wakeReporter = () => reporter.wake()
  if (endpoints.length > 0) log.info({ endpoints }, 'The admin API is up.')
  return {
    endpoints,
    async close() {
      events.stop()
      await Promise.all(doors.map((door) => door.close()))
      audit.close()
    },
    reportEnd: () => reporter.stop(),
  }
}

async function openDoors(
  app: DoorApp,
  { socket_path, tcp }: IngestorConfig['control'],
  log: Logger,
): Promise<readonly OpenDoor[]> {
  const doors: OpenDoor[] = []
  try {
    if (socket_path !== undefined) doors.push(await openUnixDoor(app, socket_path))
  } catch (error) {
    const facts = { code: 'control_socket_unusable', error: describeError(error) }
    log.error(facts, 'The admin socket could not be opened; recording continues without it.')
  }
  if (tcp !== undefined) doors.push(await openTcpDoor(app, tcp.host, tcp.port))
  return doors
}

/** If the writer does not answer in time, the views lack its reports. */
async function readStreams(recorder: Recorder): Promise<readonly StreamView[]> {
  const late = (): Error => new Error('The writer did not answer in time.')
  const reports = await withDeadline(recorder.streams(), WRITER_MS, late).catch(() => [])
  return streamViews(recorder.facts().transport.streams, reports, Date.now())
}

/** Calls within REPORT_MS share one answer. */
function shared<T>(read: () => Promise<T>): () => Promise<T> {
  let known: { readonly at_ms: number; readonly answer: Promise<T> } | undefined
  return () => {
    const now_ms = performance.now()
    if (known === undefined || now_ms - known.at_ms > REPORT_MS) {
      known = { at_ms: now_ms, answer: read() }
    }
    return known.answer
  }
}
