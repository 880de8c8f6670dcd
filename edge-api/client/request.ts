/**
 * Sends GETs, and repeats what a repetition can help: no connection, 429, 502, 503 and 504. It
 * waits as long as Retry-After says, or else twice as long each time, with chance.
 */
import { ApiError, errorOf } from './api-error.ts'

export interface RequestOptions {
  /** Address of the API, without a path. */
  readonly url: string
  readonly token?: string | undefined
  /** Repetitions of a request; 0: none. */
  readonly retries?: number | undefined
  /** The longest wait before a repetition [ms]. A longer Retry-After is an error at once. */
  readonly wait_ms_max?: number | undefined
  readonly fetch?: typeof fetch | undefined
}

export interface GetOptions {
  readonly accept?: string
  readonly signal?: AbortSignal | undefined
  readonly headers?: Readonly<Record<string, string>>
  /** `manual`: the answer may be a redirect. */
  readonly redirect?: 'follow' | 'manual'
}

const RETRIES = 4
const WAIT_MS_MAX = 60_000
const FIRST_WAIT_MS = 250
const REPEATED = new Set([429, 502, 503, 504])

export type Send = (url: string, options: GetOptions) => Promise<Response>

/** A Send that throws an ApiError unless the answer is below 400. The token goes only to `url`. */
export function createSend(options: RequestOptions): Send {
  const { token, retries = RETRIES, wait_ms_max = WAIT_MS_MAX } = options
  const origin = new URL(options.url).origin
  const send = options.fetch ?? globalThis.fetch
  return async (url, { accept = '*/*', signal, headers = {}, redirect = 'follow' }) => {
    const is_own = new URL(url).origin === origin
    const authorization = token === undefined || !is_own ? {} : { authorization: `Bearer ${token}` }
    const init: RequestInit = { headers: { accept, ...authorization, ...headers }, redirect }
    if (signal !== undefined) init.signal = signal
    for (let attempt = 0; ; attempt++) {
      let error: ApiError
      let wait_ms = FIRST_WAIT_MS * 2 ** attempt * (0.5 + Math.random())
      try {
        const response = await send(url, init)
        if (response.status < 400) return response
        error = await errorOf(response)
        if (!REPEATED.has(response.status)) throw error
        wait_ms = retryAfterMs(response) ?? wait_ms
      } catch (cause) {
        signal?.throwIfAborted()
        if (cause instanceof ApiError) throw cause
        error = new ApiError(0, 'no_answer', `${origin} does not answer.`, { cause })
      }
      if (attempt >= retries || wait_ms > wait_ms_max) throw error
      await pause(wait_ms, signal)
    }
  }
}

/** Seconds or a date; undefined if the header is missing or neither. */
function retryAfterMs({ headers }: Response): number | undefined {
  const text = headers.get('retry-after')
  if (text === null) return undefined
  const ms = /^\d+$/.test(text) ? Number(text) * 1_000 : Date.parse(text) - Date.now()
  return Number.isNaN(ms) ? undefined : Math.max(0, ms)
}

function pause(wait_ms: number, signal: AbortSignal | undefined): Promise<void> {
  return new Promise((resolve, reject) => {
    if (signal?.aborted === true) return reject(signal.reason as Error)
    const timer = setTimeout(() => {
      signal?.removeEventListener('abort', stop)
      resolve()
    }, wait_ms)
    const stop = (): void => {
      clearTimeout(timer)
      reject(signal!.reason as Error)
    }
    signal?.addEventListener('abort', stop, { once: true })
  })
}
