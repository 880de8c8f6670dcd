/**
 * The live server behind this worker. Callers show their token here; the worker shows one of its
 * own there, signed with the same secret. It has the id of the caller's token, so that the limit of
 * clients per token counts them.
 */
import { mintToken } from '#core/access-token.ts'
import { OperatorError } from '#core/errors.ts'
import { sendAgainIfLost } from '#core/lost-connections.ts'
import type { Micros } from '#core/time.ts'

export interface LiveServer {
  /**
   * Passes a request on: over WebSocket or as server-sent events. `path`: with the query.
   * `token_id`: of the caller's token, if one was needed.
   */
  pass(request: Request, path: string, token_id: string | undefined): Promise<Response>
  /** One answer with the trades after a cursor, as soon as there are any. */
  poll(wanted: PollWanted): Promise<PollAnswer>
}

export interface PollWanted {
  readonly exchange: string
  readonly symbol: string
  /** EPOCH:SEQ; null: from now on. */
  readonly after: string | null
  readonly wait_s: number
}

export type PollAnswer =
  | {
      readonly kind: 'rows'
      readonly rows: readonly Readonly<Record<string, unknown>>[]
      /** The cursor to go on from. */
      readonly after: string
    }
  | {
      readonly kind: 'refused'
      readonly status: number
      readonly code: string
      readonly detail: string
    }

export interface LiveServerOptions {
  readonly live_url: string
  readonly token_secrets: readonly string[]
  now(): Micros
  readonly fetch: typeof fetch
}

/** Headers that the live server reads. Who calls is the worker's matter. */
const PASSED = ['upgrade', 'connection', 'accept', 'last-event-id'] as const
const PASSED_PREFIX = 'sec-websocket-'
const PROTOCOL = 'sec-websocket-protocol'
const LIVE_PROTOCOL = 'booktape.live.v1'
const TOKEN_DAYS = 1
/** A poll is answered within its wait; more means that the server is gone. */
const SLACK_MS = 5_000

export function createLiveServer(options: LiveServerOptions): LiveServer {
  const { live_url, token_secrets, now } = options
  const authorization = async (token_id?: string): Promise<string> => {
    const { text } = await mintToken(token_secrets[0]!, ['live'], TOKEN_DAYS, now(), token_id)
    return `Bearer ${text}`
  }
  const ask = async (path: string, init: RequestInit): Promise<Response> => {
    try {
      return await sendAgainIfLost(() => options.fetch.call(undefined, `${live_url}${path}`, init))
    } catch (cause) {
      throw new OperatorError('live_unreachable', 'The live server does not respond.', {
        hint: 'Try again in a few seconds.',
        retryable: true,
        cause,
      })
    }
  }
  return {
    async pass(request, path, token_id) {
      const headers = new Headers({ authorization: await authorization(token_id) })
      for (const [name, value] of request.headers) {
        const is_passed = (PASSED as readonly string[]).includes(name)
        if (is_passed || name.startsWith(PASSED_PREFIX)) headers.set(name, value)
      }
      // The caller's token stays here.
      if (headers.has(PROTOCOL)) headers.set(PROTOCOL, LIVE_PROTOCOL)
      return ask(path, { headers, signal: request.signal })
    },
    async poll({ exchange, symbol, after, wait_s }) {
      const query = new URLSearchParams({ channel: 'trades', exchange, symbol, wait: `${wait_s}` })
      if (after !== null) query.set('resume', after)
      const headers = { authorization: await authorization() }
      const signal = AbortSignal.timeout(wait_s * 1_000 + SLACK_MS)
      const answer = await ask(`/v1/live/poll?${query}`, { headers, signal })
      const body = (await answer.json()) as PollBody
      if (answer.status === 200) {
        const rows = (body.messages ?? []).flatMap((message) => message.rows)
        return { kind: 'rows', rows, after: body.resume ?? '' }
      }
      const code = body.code ?? body.type?.replace('urn:booktape:problem:', '') ?? 'live_refused'
      const detail = body.detail ?? body.message ?? 'The live server refused the request.'
      return { kind: 'refused', status: answer.status, code, detail }
    },
  }
}

interface PollBody {
  readonly messages?: readonly { readonly rows: readonly Readonly<Record<string, unknown>>[] }[]
  readonly resume?: string
  readonly type?: string
  readonly detail?: string
  readonly code?: string
  readonly message?: string
}
