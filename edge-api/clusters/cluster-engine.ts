/** The cluster engine behind this worker (jobs/clusters): its rows are passed on as they are. */
import type { Interval } from '#core/clusters/intervals.ts'
import { OperatorError } from '#core/errors.ts'
import { sendAgainIfLost } from '#core/lost-connections.ts'
import type { Micros } from '#core/time.ts'
import { Problem } from '../problem.ts'

export interface ClusterRange {
  readonly exchange: string
  readonly symbol: string
  readonly bin: number | 'auto'
  readonly from: Micros
  readonly to: Micros
}

export interface BarsWanted extends ClusterRange {
  readonly interval: Interval
  readonly order: 'asc' | 'desc'
  readonly limit: number
  /** Goes on after the bar of this time. */
  readonly after: Micros | undefined
}

export interface BarsAnswer {
  /** The rows as a JSON array. */
  readonly rows: Uint8Array<ArrayBuffer>
  readonly row_count: number
  /** `after` of the next page; null: this is the last one. */
  readonly next_ts: Micros | null
  /** Nothing changes any more, but by late trades. */
  readonly is_final: boolean
}

export interface ProfileAnswer {
  /** A JSON object. */
  readonly body: Uint8Array<ArrayBuffer>
  readonly is_final: boolean
}

export interface ClusterEngine {
  bars(wanted: BarsWanted): Promise<BarsAnswer>
  profile(wanted: ClusterRange): Promise<ProfileAnswer>
}

export interface ClusterEngineOptions {
  readonly clusters_url: string
  readonly secret: string
}

/** Facts next to the body. */
const HEAD_HEADER = 'x-clusters'
/** The engine answers within its own limit (CLUSTERS_WAIT_S); more means that it is gone. */
const ANSWER_LIMIT_MS = 40_000

/** Of the engine's refusals, what the caller can do something about. */
const CALLERS: Readonly<Record<string, string>> = {
  no_tick_size: 'The price step is unknown.',
  bin_too_fine: 'The bins are too fine.',
}

export function createClusterEngine(options: ClusterEngineOptions): ClusterEngine {
  const { clusters_url, secret } = options
  const ask = async (path: string, query: object): Promise<Answered> => {
    const search = new URLSearchParams()
    for (const [name, value] of Object.entries(query)) {
      if (value !== undefined) search.set(name, String(value))
    }
    let answer: Response
    let body: Uint8Array<ArrayBuffer>
    try {
      const init = {
        headers: { authorization: `Bearer ${secret}` },
        signal: AbortSignal.timeout(ANSWER_LIMIT_MS),
      }
      answer = await sendAgainIfLost(() => fetch(`${clusters_url}${path}?${search}`, init))
      body = new Uint8Array(await answer.arrayBuffer())
    } catch (cause) {
      throw new OperatorError('clusters_unreachable', 'The cluster engine does not respond.', {
        hint: 'Try again in a few seconds.',
        retryable: true,
        cause,
      })
    }
    if (answer.status !== 200) throw refusal(answer.status, body)
    return { head: JSON.parse(answer.headers.get(HEAD_HEADER) ?? '{}') as Head, body }
  }
  return {
    async bars(wanted) {
      const { head, body } = await ask('/clusters/bars', wanted)
      const { row_count = 0, next_ts = null, is_final } = head
      return { rows: body, row_count, next_ts, is_final }
    },
    async profile(wanted) {
      const { head, body } = await ask('/clusters/profile', wanted)
      return { body, is_final: head.is_final }
    },
  }
}

interface Head {
  readonly row_count?: number
  readonly next_ts?: Micros | null
  readonly is_final: boolean
}

interface Answered {
  readonly head: Head
  readonly body: Uint8Array<ArrayBuffer>
}

function refusal(status: number, body: Uint8Array): Error {
  const { code, message } = parseRefusal(body)
  const title = CALLERS[code]
  if (title !== undefined) return new Problem(status, code, title, message)
  if (status === 503) return new OperatorError(code, message, { retryable: true })
  return new OperatorError('clusters_refused', `The cluster engine refused: ${message}`)
}

function parseRefusal(body: Uint8Array): { readonly code: string; readonly message: string } {
  const nothing = { code: 'clusters_refused', message: 'The cluster engine gave no reason.' }
  try {
    const read = JSON.parse(new TextDecoder().decode(body)) as Partial<typeof nothing>
    return { code: read.code ?? nothing.code, message: read.message ?? nothing.message }
  } catch {
    return nothing
  }
}
