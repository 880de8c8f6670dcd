/**
 * The ingestors of an installation, from marketdata.ingestors and from the configuration. They are
 * called in parallel, and stay known while Postgres is away.
 */
import { hostname } from 'node:os'
import type { Pool } from '#core/node/pool.ts'
import type { StatusView, StreamView } from '../../../ingestor/control/view.ts'
import type { IngestorView, Reach } from '../wire.ts'
import { askIngestor, type IngestorAnswer, type IngestorRequest } from './client.ts'

export interface Fleet {
  /** Reads the list from the database. Rejects if it does not answer. */
  find(pool: Pool): Promise<void>
  /** Asks every ingestor for its status. */
  refresh(): Promise<void>
  views(): readonly IngestorView[]
  /** Streams of the ingestors that answer, read at most once in STREAMS_MS. */
  streams(): Promise<readonly IngestorStreams[]>
  /** Undefined: unknown ingestor, or none of its endpoints is reachable from here. */
  ask(ingestor_id: string, request: IngestorRequest): Promise<IngestorAnswer> | undefined
}

export interface IngestorStreams {
  readonly ingestor_id: string
  readonly exchange: string
  readonly asked_at_ms: number
  readonly streams: readonly StreamView[]
}

export interface FleetOptions {
  /** Endpoints from the configuration. */
  readonly endpoints: readonly string[]
  /** For calls over the network. */
  readonly token: string | undefined
}

interface Heartbeat {
  readonly ingestor_id: string
  readonly exchange: string
  readonly host: string
  readonly version: string
  readonly endpoint: string | null
  readonly state: string
  readonly seen_s: number
}

interface Known {
  /** From the configuration. Preferred to the heartbeat's endpoint. */
  configured: string | undefined
  /** From the heartbeat. */
  endpoint: string | null
  beat: Heartbeat | undefined
  beat_at_ms: number
  status: StatusView | null
  answered_at_ms: number
  error: string | null
  is_asking: boolean
}

const STATUS_MS = 1_500
const STREAMS_LIMIT_MS = 4_000
const STREAMS_MS = 1_000
const INGESTORS_MAX = 64
/** An ingestor without a heartbeat for longer is forgotten. */
const FORGET_S = 7 * 86_400

export function createFleet({ endpoints, token }: FleetOptions): Fleet {
  /** By ingestor_id; by endpoint until the first answer names the id. */
  const known = new Map<string, Known>()
  for (const endpoint of endpoints) known.set(endpoint, unknownYet(null, endpoint))
  let streams:
    | { readonly at_ms: number; readonly answer: Promise<readonly IngestorStreams[]> }
    | undefined

  const refreshOne = async (key: string, one: Known): Promise<void> => {
    const endpoint = reachable(one)
    if (endpoint === undefined || one.is_asking) return
    one.is_asking = true
    try {
      const { status, body } = await askIngestor(endpoint, token, {
        path: '/status',
        limit_ms: STATUS_MS,
      })
      if (status !== 200) throw new Error(refusalOf(status, body))
      one.status = body as StatusView
      one.answered_at_ms = Date.now()
      one.error = null
      const { ingestor_id } = one.status.ingestor
      if (ingestor_id === key) return
      known.delete(key)
      const same = known.get(ingestor_id)
      if (same === undefined) known.set(ingestor_id, one)
      else same.configured ??= one.configured
    } catch (error) {
      one.error = wordsOf(error)
    } finally {
      one.is_asking = false
    }
  }

  return {
    async find(pool) {
      const { rows } = await pool.query<Heartbeat>(FIND)
      const now_ms = Date.now()
      const listed = new Set(rows.map(({ ingestor_id }) => ingestor_id))
      for (const [key, { beat, configured }] of known) {
        // It was retired, or handed over to another.
        if (beat !== undefined && configured === undefined && !listed.has(key)) known.delete(key)
      }
      for (const beat of rows) {
        const one = known.get(beat.ingestor_id) ?? unknownYet(beat.endpoint)
        // A stopped ingestor has no endpoint. It may run again before its next heartbeat.
        Object.assign(one, { beat, beat_at_ms: now_ms, endpoint: beat.endpoint })
        known.set(beat.ingestor_id, one)
        for (const [key, other] of known) {
          if (
            key !== beat.ingestor_id &&
            other.beat === undefined &&
            addressOf(other) === beat.endpoint
          )
            known.delete(key)
        }
      }
    },
    async refresh() {
      await Promise.all([...known].map(([key, one]) => refreshOne(key, one)))
    },
    views: () => [...known].map(([key, one]) => viewOf(key, one)).toSorted(byId),
    streams() {
      const now_ms = performance.now()
      if (streams === undefined || now_ms - streams.at_ms > STREAMS_MS) {
        streams = { at_ms: now_ms, answer: readStreams([...known], token) }
      }
      return streams.answer
    },
    ask(ingestor_id, request) {
      const one = known.get(ingestor_id)
      const endpoint = one === undefined ? undefined : reachable(one)
      return endpoint === undefined ? undefined : askIngestor(endpoint, token, request)
    },
  }
}

async function readStreams(
  known: readonly (readonly [string, Known])[],
  token: string | undefined,
): Promise<readonly IngestorStreams[]> {
  const answers = await Promise.all(
    known.map(async ([ingestor_id, one]): Promise<readonly IngestorStreams[]> => {
      const endpoint = reachable(one)
      if (endpoint === undefined || one.status === null) return []
      try {
        const asked_at_ms = Date.now()
        const { status, body } = await askIngestor(endpoint, token, {
          path: '/streams',
          limit_ms: STREAMS_LIMIT_MS,
        })
        if (status !== 200) return []
        const { streams } = body as { readonly streams: readonly StreamView[] }
        return [{ ingestor_id, exchange: one.status.ingestor.exchange, asked_at_ms, streams }]
      } catch {
        return []
      }
    }),
  )
  return answers.flat()
}

function viewOf(key: string, one: Known): IngestorView {
  const { beat, status, error, answered_at_ms } = one
  const seen_s = beat === undefined ? null : beat.seen_s + (Date.now() - one.beat_at_ms) / 1_000
  return {
    ingestor_id: beat?.ingestor_id ?? status?.ingestor.ingestor_id ?? key,
    exchange: beat?.exchange ?? status?.ingestor.exchange ?? '',
    host: beat?.host ?? status?.ingestor.host ?? '',
    version: beat?.version ?? status?.ingestor.version ?? '',
    endpoint: addressOf(one),
    reach: reachOf(one),
    error,
    seen_s,
    status: status === null ? null : { ...status, actual: { ...status.actual, symbols: [] } },
    answered_at: answered_at_ms === 0 ? null : new Date(answered_at_ms).toISOString(),
  }
}

function reachOf(one: Known): Reach {
  if (one.beat?.state === 'stopped') return 'stopped'
  if (reachable(one) === undefined) return 'elsewhere'
  return one.error === null ? 'answers' : 'silent'
}

/** A unix socket is reachable only on its own machine. */
function reachable(one: Known): string | undefined {
  const { configured, beat } = one
  const address = addressOf(one)
  if (address === null || configured !== undefined || !address.startsWith('unix:')) {
    return address ?? undefined
  }
  return beat === undefined || beat.host === hostname() ? address : undefined
}

function addressOf({ configured, endpoint }: Known): string | null {
  return configured ?? endpoint
}

function unknownYet(endpoint: string | null, configured?: string): Known {
  return {
    configured,
    endpoint,
    beat: undefined,
    beat_at_ms: 0,
    status: null,
    answered_at_ms: 0,
    error: null,
    is_asking: false,
  }
}

function refusalOf(status: number, body: unknown): string {
  const { detail } = (body ?? {}) as { readonly detail?: unknown }
  if (status === 401) return 'it does not know our token (CONSOLE_INGESTOR_TOKEN)'
  return typeof detail === 'string' ? detail : `it answered ${status}`
}

function wordsOf(error: unknown): string {
  const { code, message } = error as NodeJS.ErrnoException
  if (code === 'ECONNREFUSED' || code === 'ENOENT')
    return 'nobody listens on its socket: its process has ended'
  if (code === 'EACCES') return 'this user may not open its socket'
  return code === 'ECONNRESET' ? 'it closed the connection' : message
}

function byId(left: IngestorView, right: IngestorView): number {
  return left.ingestor_id < right.ingestor_id ? -1 : 1
}

const FIND = `
  select ingestor_id, exchange, host, version, endpoint, state,
    extract(epoch from now() - seen_at)::float8 as seen_s
  from marketdata.ingestors
  where seen_at > now() - interval '${FORGET_S} seconds'
  order by seen_at desc limit ${INGESTORS_MAX}`
