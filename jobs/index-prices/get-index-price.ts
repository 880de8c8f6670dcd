/**
 * Requests one index's price from Deribit's REST API (public/get_index_price), at most three times,
 * with exponential back-off and jitter between attempts.
 */
import { setTimeout as sleep } from 'node:timers/promises'
import { z } from 'zod'
import { describeError, OperatorError } from '#core/errors.ts'
import type { PriceValue } from '#core/node/prices.ts'
import { fromMillis } from '#core/time.ts'
import { backoffMs, retryAfterMs } from '#core/waiting.ts'

interface Retry {
  readonly symbol: string
  readonly error: string
  readonly delay_ms: number
}

export interface RequestOptions {
  /** `https://www.deribit.com` */
  readonly rest_url: string
  /** Milliseconds since 1970. */
  readonly now: () => number
  readonly random: () => number
  readonly signal: AbortSignal
  /** Called after a failed attempt that will be retried. */
  onRetry(facts: Retry): void
  readonly settings?: Partial<AskSettings>
}

export interface AskSettings {
  readonly timeout_ms: number
  /** Number of attempts, including the first. */
  readonly attempts_max: number
  /** Delay before the second attempt; it doubles before each later one. */
  readonly delay_ms: number
}

const SETTINGS: AskSettings = { timeout_ms: 10_000, attempts_max: 3, delay_ms: 1_000 }
/** The delay is at least half of the exponential one. */
const JITTER = 0.5
const RETRY_AFTER_MS_MAX = 15_000
const BODY_BYTES_MAX = 64 * 1024
const TOO_MANY_REQUESTS = 429

/**
 * Errors: OperatorError `index_price_refused` (the exchange does not know the index, or its answer
 * is not a price), `index_price_failed` (every attempt failed; retryable).
 */
export async function getIndexPrice(symbol: string, options: RequestOptions): Promise<PriceValue> {
  const settings = { ...SETTINGS, ...options.settings }
  for (let attempt = 1; ; attempt++) {
    const outcome = await request(symbol, options, settings.timeout_ms)
    if (outcome.kind === 'answered') return readAnswer(symbol, outcome.body, options.now())
    options.signal.throwIfAborted()
    const { detail: error } = outcome
    if (attempt >= settings.attempts_max) throw failed(symbol, attempt, error)
    const backoff = { backoff_base_ms: settings.delay_ms, backoff_cap_ms: Infinity }
    const pause_ms = backoffMs(attempt - 1, backoff, options.random, JITTER)
    const delay_ms = Math.round(Math.max(outcome.retry_after_ms, pause_ms))
    options.onRetry({ symbol, error, delay_ms })
    await sleep(delay_ms, undefined, { signal: options.signal })
  }
}

type Outcome =
  | { readonly kind: 'answered'; readonly body: string }
  | { readonly kind: 'failed'; readonly detail: string; readonly retry_after_ms: number }

async function request(
  symbol: string,
  { rest_url, signal }: RequestOptions,
  timeout_ms: number,
): Promise<Outcome> {
  const timeout = AbortSignal.timeout(timeout_ms)
  const path = `/api/v2/public/get_index_price?index_name=${encodeURIComponent(symbol)}`
  try {
    const response = await fetch(rest_url.replace(/\/+$/, '') + path, {
      signal: AbortSignal.any([timeout, signal]),
      redirect: 'error',
    })
    const { status, headers } = response
    if (status === TOO_MANY_REQUESTS || status >= 500) {
      await response.body?.cancel()
      const asked_ms = retryAfterMs(headers.get('retry-after'))
      const retry_after_ms = Math.min(asked_ms, RETRY_AFTER_MS_MAX)
      return { kind: 'failed', detail: `HTTP ${status}`, retry_after_ms }
    }
    const body = await readBody(response)
    const rpc_error = temporaryErrorOf(body)
    if (rpc_error !== undefined) return { kind: 'failed', detail: rpc_error, retry_after_ms: 0 }
    return { kind: 'answered', body }
  } catch (error) {
    if (error instanceof OperatorError) throw error
    const cause = error instanceof Error ? error.cause : undefined
    const detail = timeout.aborted ? `no answer in ${timeout_ms} ms` : describeError(cause ?? error)
    return { kind: 'failed', detail, retry_after_ms: 0 }
  }
}

async function readBody(response: Response): Promise<string> {
  const chunks: Uint8Array[] = []
  let size_bytes = 0
  for await (const chunk of response.body ?? []) {
    size_bytes += chunk.length
    if (size_bytes > BODY_BYTES_MAX) throw refused(`an answer of more than ${BODY_BYTES_MAX} bytes`)
    chunks.push(chunk)
  }
  return Buffer.concat(chunks).toString('utf8')
}

const RpcError = z.object({ error: z.object({ code: z.int(), message: z.string() }) })

/**
 * The exchange's error if a later attempt may succeed: rate limits, maintenance, time-outs. With
 * one of JSON-RPC's own codes the request is wrong, and another attempt will not help.
 */
function temporaryErrorOf(body: string): string | undefined {
  const rpc_error = RpcError.safeParse(parseQuietly(body))
  if (!rpc_error.success) return undefined
  const { code, message } = rpc_error.data.error
  return code >= -32_768 && code <= -32_000 ? undefined : `${code}: ${message.slice(0, 100)}`
}

/** usOut is in microseconds since 1970. */
const Answer = z.object({
  result: z.object({ index_price: z.number().positive() }),
  usOut: z
    .int()
    .min(Date.UTC(2017, 0) * 1_000)
    .lt(Date.UTC(2100, 0) * 1_000),
})

function readAnswer(symbol: string, body: string, now_ms: number): PriceValue {
  const answer = Answer.safeParse(parseQuietly(body))
  if (!answer.success) throw refused(`${body.slice(0, 200)} for ${symbol}`)
  const { result, usOut } = answer.data
  return {
    symbol,
    price: result.index_price,
    // The time at which the exchange sent the answer, in whole milliseconds: the price has none.
    ts_exchange: fromMillis(Math.floor(usOut / 1_000)),
    ts_ingest: fromMillis(now_ms),
  }
}

function parseQuietly(body: string): unknown {
  try {
    return JSON.parse(body)
  } catch {
    return undefined
  }
}

function refused(found: string): OperatorError {
  return new OperatorError('index_price_refused', `Deribit did not give a price but ${found}.`, {
    hint: 'Check INDEX_NAMES against public/get_index_price_names, and DERIBIT_REST_URL.',
  })
}

function failed(symbol: string, attempt_count: number, detail: string): OperatorError {
  return new OperatorError(
    'index_price_failed',
    `Deribit gave no price of ${symbol} in ${attempt_count} attempts. Last error: ${detail}.`,
    { hint: 'Check the network and DERIBIT_REST_URL.', retryable: true },
  )
}
