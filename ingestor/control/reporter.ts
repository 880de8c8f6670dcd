/**
 * Reports this ingestor's state (marketdata.ingestors) and its audit entries (marketdata.audit) to
 * Postgres. Recording never waits for this. While Postgres is down, the audit log on the disk keeps
 * every change; the reporter writes the missing ones later.
 */
import { describeError } from '#core/errors.ts'
import type { Logger } from '#core/node/log.ts'
import { createPool, type Pool, withClient } from '#core/node/pool.ts'
import { withDeadline } from '#core/waiting.ts'
import type { AuditEntry } from './audit-log.ts'
import type { StatusView } from './view.ts'

export interface Reporter {
  /** Reports soon: there is a new audit entry. */
  wake(): void
  /** Reports that the ingestor has stopped. Gives up after STOP_LIMIT_MS. */
  stop(): Promise<void>
}

export interface ReporterOptions {
  readonly database_url: string
  readonly ingestor_id: string
  /** Entries that Postgres may lack. The reporter removes each one after writing it. */
  readonly unwritten: AuditEntry[]
  readonly log: Logger
  status(): StatusView
}

const BEAT_MS = 10_000
const LIMIT_MS = 10_000
const STOP_LIMIT_MS = 5_000
const ENTRIES_PER_STATEMENT = 50

export function startReporter(options: ReporterOptions): Reporter {
  const { database_url, ingestor_id, unwritten, log } = options
  let is_failing = false
  let is_stopped = false
  let running: Promise<void> = Promise.resolve()
  let timer: NodeJS.Timeout | undefined

  /** Opens a connection per heartbeat, because a small server allows few. */
  const connected = async (use: (pool: Pool) => Promise<void>): Promise<void> => {
    const pool = createPool(database_url, `booktape-control-${ingestor_id}`, 1, LIMIT_MS)
    await use(pool).finally(() => pool.end())
  }
  const write = async (pool: Pool): Promise<void> => {
    await writeHeartbeat(pool, options.status(), undefined)
    while (unwritten.length > 0) {
      const some = unwritten.slice(0, ENTRIES_PER_STATEMENT)
      await writeAudit(pool, some)
      unwritten.splice(0, some.length)
    }
  }
  const report = async (): Promise<void> => {
    try {
      await connected((pool) => write(pool))
      if (is_failing) log.info('Heartbeats reach Postgres again.')
      is_failing = false
    } catch (error) {
      if (!is_failing && !is_stopped) {
        const facts = { code: 'heartbeat_failed', error: describeError(error) }
        log.warn(facts, 'The heartbeat did not reach Postgres; trying again.')
      }
      is_failing = true
    }
  }
  const beat = (): void => {
    clearTimeout(timer)
    running = running.then(report).finally(() => {
      clearTimeout(timer)
      if (!is_stopped) timer = setTimeout(beat, BEAT_MS)
    })
  }
  beat()
  return {
    wake() {
      // In a later turn, so that the change is applied first.
      if (!is_stopped) setImmediate(beat)
    },
    async stop() {
      is_stopped = true
      clearTimeout(timer)
      const status = options.status()
      const last = running.then(() => connected((pool) => writeHeartbeat(pool, status, 'stopped')))
      await withDeadline(last, STOP_LIMIT_MS, tooLate).catch(() => undefined)
    },
  }
}

async function writeHeartbeat(
  pool: Pool,
  { ingestor, state, desired, actual, tape }: StatusView,
  last_state: 'stopped' | undefined,
): Promise<void> {
  const { ingestor_id, exchange, host, pid, version, started_at, endpoints } = ingestor
  const values = [
    ingestor_id,
    exchange,
    host,
    pid,
    version,
    started_at,
    last_state === undefined ? (endpoints.find(isNetwork) ?? endpoints[0] ?? null) : null,
    last_state ?? state,
    desired.recording,
    desired.revision,
    actual.symbol_count,
    actual.streams_wanted,
    last_state === undefined ? actual.streams_heard : 0,
    tape.backlog_bytes,
  ]
  await withClient(pool, (client) =>
    withDeadline(client.query(HEARTBEAT, values), LIMIT_MS, tooLate),
  )
}

/** True if other machines can reach it. Such endpoints are preferred. */
function isNetwork(endpoint: string): boolean {
  return endpoint.startsWith('http')
}

async function writeAudit(pool: Pool, entries: readonly AuditEntry[]): Promise<void> {
  const text = `insert into marketdata.audit
      (audit_id, at, program, instance, actor, origin, action, request, revision, before, after, result)
    select e.audit_id, e.at, e.program, e.instance, e.actor, e.origin, e.action,
      coalesce(e.request, 'null'), e.revision, e.before, e.after, e.result
    from jsonb_to_recordset($1::jsonb) as e (audit_id uuid, at timestamptz, program text,
      instance text, actor text, origin text, action text, request jsonb, revision integer,
      before jsonb, after jsonb, result jsonb)
    on conflict (audit_id) do nothing`
  const values = [JSON.stringify(entries)]
  await withClient(pool, (client) => withDeadline(client.query(text, values), LIMIT_MS, tooLate))
}

function tooLate(): Error {
  return new Error('Postgres did not answer in time.')
}

const HEARTBEAT = `insert into marketdata.ingestors
    (ingestor_id, exchange, host, pid, version, started_at, endpoint, state, recording, revision,
      symbols_wanted, streams_wanted, streams_heard, uncommitted_bytes, seen_at)
  values ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12, $13, $14, now())
  on conflict (ingestor_id) do update set
    exchange = excluded.exchange, host = excluded.host, pid = excluded.pid,
    version = excluded.version, started_at = excluded.started_at, endpoint = excluded.endpoint,
    state = excluded.state, recording = excluded.recording, revision = excluded.revision,
    symbols_wanted = excluded.symbols_wanted, streams_wanted = excluded.streams_wanted,
    streams_heard = excluded.streams_heard, uncommitted_bytes = excluded.uncommitted_bytes,
    seen_at = excluded.seen_at`
