/** The cluster engine (jobs/clusters) over HTTP: footprint bars as /v1/clusters has them. */
import type { ClusterRow } from '#core/clusters/row.ts'
import type { Interval } from '#core/clusters/intervals.ts'
import { sendAgainIfLost } from '#core/lost-connections.ts'
import { Fault } from '../fault.ts'

export interface EngineConfig {
  readonly clusters_url: string
  readonly secret: string
}

export interface BarsWanted {
  readonly exchange: string
  readonly symbol: string
  readonly interval: Interval
  readonly bin: number | 'auto'
  /** Microseconds: `from` inclusive, `to` exclusive. */
  readonly from: number
  readonly to: number
  readonly order: 'asc' | 'desc'
  readonly limit: number
  /** Goes on after the bar of this time. */
  readonly after?: number
}

export interface BarsPage {
  readonly rows: readonly ClusterRow[]
  /** `after` of the next page; null: this is the last one. */
  readonly next_ts: number | null
}

/** Throws a Fault if the engine refuses or does not respond. */
export type ReadBars = (wanted: BarsWanted) => Promise<BarsPage>

const ANSWER_LIMIT_MS = 40_000
const HEAD_HEADER = 'x-clusters'

export function createEngineReader({ clusters_url, secret }: EngineConfig): ReadBars {
  return async (wanted) => {
    const query = new URLSearchParams()
    for (const [name, value] of Object.entries(wanted)) query.set(name, String(value))
    let answer: Response
    let body: unknown
    try {
      const init = {
        headers: { authorization: `Bearer ${secret}` },
        signal: AbortSignal.timeout(ANSWER_LIMIT_MS),
      }
      answer = await sendAgainIfLost(() => fetch(`${clusters_url}/clusters/bars?${query}`, init))
      body = await answer.json()
    } catch {
      throw new Fault('history_unavailable', 'The cluster engine does not respond.')
    }
    if (answer.status === 200) {
      const { next_ts } = JSON.parse(answer.headers.get(HEAD_HEADER) ?? '{}') as BarsPage
      return { rows: body as readonly ClusterRow[], next_ts: next_ts ?? null }
    }
    const { code, message } = body as { readonly code?: string; readonly message?: string }
    const text = `The cluster engine refused: ${message ?? answer.status}`
    // What the caller asked for cannot be had.
    if (answer.status < 500) throw new Fault('bad_message', text)
    throw new Fault('history_unavailable', code === 'clusters_computing' ? message! : text)
  }
}
