/**
 * GET requests to the exchange's public REST API, within its weight limits: queued by priority,
 * paced by the used-weight header, paused as long as 429 or 418 require, retried if that can help.
 * It knows no endpoints; callers pass the weight of a request.
 */
import { OperatorError, describeError } from '#core/errors.ts'
import type { Logger } from '#core/node/log.ts'
import type { Micros } from '#core/time.ts'
import { backoffMs, retryAfterMs } from '#core/waiting.ts'
import type { ExchangeAdapter, RestLimits } from '../exchanges/adapter.ts'
import type { Clock } from './clock.ts'
import { systemTimers, type Timers } from './timers.ts'
import { createWeightBudget, type Priority, type WeightBudget } from './weight-budget.ts'

export interface RestSettings {
  readonly timeout_ms: number
  /** Attempts of one request, including the first. */
  readonly attempts_max: number
  readonly backoff_base_ms: number
  readonly backoff_cap_ms: number
  readonly body_bytes_max: number
  readonly queued_max: number
  readonly parallel_max: number
  /** Pause after 429 or 418 without Retry-After. */
  readonly default_block_ms: number
}

export const DEFAULT_REST_SETTINGS: RestSettings = {
  timeout_ms: 15_000,
  attempts_max: 5,
  backoff_base_ms: 500,
  backoff_cap_ms: 15_000,
  body_bytes_max: 32 * 1_048_576,
  queued_max: 1_000,
  parallel_max: 4,
  default_block_ms: 60_000,
}

export interface RestClientOptions {
  readonly base_url: string
  readonly limits: RestLimits
  readonly log: Logger
  readonly settings?: Partial<RestSettings>
  /** That of the frames, because no two records of a tape may have the same stamp. */
  readonly clock: Clock
  readonly timers?: Timers
  readonly random?: () => number
}

export interface RestRequest {
  /** Path with query: `/fapi/v1/exchangeInfo`. */
  readonly path: string
  readonly weight: number
  readonly priority?: Priority
}

export interface RestAnswer {
  readonly path: string
  readonly body: string
  /** When the whole answer had arrived. */
  readonly ts_ingest: Micros
}

export interface RestClient {
  /**
   * Resolves with the body of a 200 answer. Errors: OperatorError `rest_refused` (a retry will not
   * help), `rest_failed` (retryable), `rest_too_large`, `rest_queue_full`, `rest_stopped`.
   */
  get(request: RestRequest): Promise<RestAnswer>
  /** Weight used in the last minute: the larger of our count and the exchange's. */
  usedWeight(): number
  /** Aborts running requests and rejects waiting and later ones. */
  stop(): void
}

export function createRestClient(options: RestClientOptions): RestClient {
  return new QueuedRestClient(options)
}

/** A client for the adapter's exchange, with the address and weight of the config. */
export function exchangeRest(
  { rest_limits }: Pick<ExchangeAdapter, 'rest_limits'>,
  config: {
    readonly rest_url: string
    /** Undefined: as much as the exchange allows an address. */
    readonly rest_weight_per_minute: number | undefined
  },
  clock: Clock,
  log: Logger,
): RestClient {
  const weight_per_minute_max = config.rest_weight_per_minute ?? rest_limits.weight_per_minute_max
  const limits = { ...rest_limits, weight_per_minute_max }
  return createRestClient({ base_url: config.rest_url, limits, clock, log })
}

interface Job extends Required<RestRequest> {
  readonly resolve: (answer: RestAnswer) => void
  readonly reject: (error: unknown) => void
  failure_count: number
  /** Earliest time of the next attempt after a failure. */
  not_before_ms: number
}

type Outcome =
  | { readonly kind: 'answered'; readonly body: string }
  | { readonly kind: 'blocked'; readonly detail: string; readonly retry_after_ms: number }
  | { readonly kind: 'failed'; readonly detail: string }

const PRIORITIES: readonly Priority[] = ['high', 'normal', 'low']

class QueuedRestClient implements RestClient {
  readonly #options: RestClientOptions
  readonly #settings: RestSettings
  readonly #clock: Clock
  readonly #timers: Timers
  readonly #random: () => number
  readonly #budget: WeightBudget
  readonly #stopping = new AbortController()
  readonly #waiting: Job[] = []
  #running_count = 0
  #cancelWake: (() => void) | undefined

  constructor(options: RestClientOptions) {
    this.#options = options
    this.#settings = { ...DEFAULT_REST_SETTINGS, ...options.settings }
    this.#clock = options.clock
    this.#timers = options.timers ?? systemTimers
    this.#random = options.random ?? Math.random
    this.#budget = createWeightBudget(options.limits.weight_per_minute_max)
  }

  get(request: RestRequest): Promise<RestAnswer> {
    return new Promise((resolve, reject) => {
      if (this.#stopping.signal.aborted) return reject(stopped(request.path))
      if (this.#waiting.length >= this.#settings.queued_max) return reject(queueFull(request.path))
      const { path, weight, priority = 'normal' } = request
      const job = { path, weight, priority, resolve, reject, failure_count: 0, not_before_ms: 0 }
      this.#waiting.push(job)
      this.#pump()
    })
  }

  usedWeight(): number {
    return this.#budget.used(this.#timers.now_ms())
  }

  stop(): void {
    this.#stopping.abort()
    this.#cancelWake?.()
    for (const job of this.#waiting.splice(0)) job.reject(stopped(job.path))
  }

  /** Starts all requests that may start now, and sleeps until the next may. */
  #pump(): void {
    this.#cancelWake?.()
    this.#cancelWake = undefined
    const { parallel_max } = this.#settings
    while (this.#running_count < parallel_max && this.#waiting.length > 0) {
      const now_ms = this.#timers.now_ms()
      const job = this.#next(now_ms)
      const wait_ms =
        job === undefined
          ? Math.min(...this.#waiting.map((one) => one.not_before_ms)) - now_ms
          : this.#budget.take(job.weight, job.priority, now_ms)
      if (job === undefined || wait_ms > 0) {
        this.#cancelWake = this.#timers.after(Math.max(1, wait_ms), () => this.#pump())
        return
      }
      this.#waiting.splice(this.#waiting.indexOf(job), 1)
      void this.#run(job)
    }
  }

  /** The oldest sendable request of the highest priority. */
  #next(now_ms: number): Job | undefined {
    for (const priority of PRIORITIES) {
      const job = this.#waiting.find(
        (one) => one.priority === priority && one.not_before_ms <= now_ms,
      )
      if (job !== undefined) return job
    }
    return undefined
  }

  async #run(job: Job): Promise<void> {
    this.#running_count++
    try {
      this.#settle(job, await this.#fetch(job.path))
    } catch (error) {
      job.reject(this.#stopping.signal.aborted ? stopped(job.path) : error)
    } finally {
      this.#running_count--
      if (!this.#stopping.signal.aborted) this.#pump()
    }
  }

  #settle(job: Job, outcome: Outcome): void {
    const { path } = job
    if (outcome.kind === 'answered') {
      return job.resolve({ path, body: outcome.body, ts_ingest: this.#clock.now() })
    }
    if (this.#stopping.signal.aborted) return job.reject(stopped(path))
    const now_ms = this.#timers.now_ms()
    if (outcome.kind === 'blocked') {
      const pause_ms = outcome.retry_after_ms || this.#settings.default_block_ms
      this.#budget.block(now_ms + pause_ms)
      const fields = { code: 'rest_blocked', detail: outcome.detail, pause_ms }
      this.#options.log.warn(fields, 'The exchange requires a pause.')
    }
    job.failure_count++
    if (job.failure_count >= this.#settings.attempts_max) {
      return job.reject(failed(path, job.failure_count, outcome.detail))
    }
    job.not_before_ms = now_ms + backoffMs(job.failure_count, this.#settings, this.#random)
    this.#waiting.unshift(job)
  }

  async #fetch(path: string): Promise<Outcome> {
    const timeout = AbortSignal.timeout(this.#settings.timeout_ms)
    const signal = AbortSignal.any([timeout, this.#stopping.signal])
    try {
      const url = this.#options.base_url.replace(/\/+$/, '') + path
      const { headers = {} } = this.#options.limits
      const response = await fetch(url, { headers, signal, redirect: 'error' })
      this.#noteUsedWeight(response)
      const { status } = response
      const { pause_statuses = [] } = this.#options.limits
      if (status === 429 || status === 418 || pause_statuses.includes(status)) {
        await response.body?.cancel()
        const retry_after_ms = retryAfterMs(response.headers.get('retry-after'))
        return { kind: 'blocked', detail: `HTTP ${status}`, retry_after_ms }
      }
      const body = await readBody(response, path, this.#settings.body_bytes_max)
      if (status === 200) return { kind: 'answered', body }
      if (status >= 500) return { kind: 'failed', detail: `HTTP ${status}` }
      throw refused(path, status, body)
    } catch (error) {
      if (error instanceof OperatorError) throw error
      const too_late = `no answer within ${this.#settings.timeout_ms} ms`
      return { kind: 'failed', detail: timeout.aborted ? too_late : causeOf(error) }
    }
  }

  #noteUsedWeight(response: Response): void {
    const { used_weight_header } = this.#options.limits
    if (used_weight_header === undefined) return
    const used_weight = Number(response.headers.get(used_weight_header) ?? NaN)
    if (used_weight >= 0) this.#budget.noteUsed(used_weight, this.#timers.now_ms())
  }
}

async function readBody(response: Response, path: string, bytes_max: number): Promise<string> {
  const chunks: Uint8Array[] = []
  let size_bytes = 0
  for await (const chunk of response.body ?? []) {
    size_bytes += chunk.length
    if (size_bytes > bytes_max) {
      throw new OperatorError(
        'rest_too_large',
        `The answer to GET ${path} is larger than ${bytes_max} bytes.`,
        { hint: 'Check that EXCHANGE_REST_URL is the address of the exchange.' },
      )
    }
    chunks.push(chunk)
  }
  return Buffer.concat(chunks).toString('utf8')
}

/** fetch() throws "fetch failed" and keeps the reason in the cause. */
function causeOf(error: unknown): string {
  const cause = error instanceof Error ? error.cause : undefined
  return describeError(cause ?? error)
}

function stopped(path: string): OperatorError {
  return new OperatorError('rest_stopped', `GET ${path} was not sent: the program is stopping.`)
}

function queueFull(path: string): OperatorError {
  const message = `GET ${path}: too many requests are waiting.`
  return new OperatorError('rest_queue_full', message, { retryable: true })
}

function failed(path: string, attempt_count: number, detail: string): OperatorError {
  const message = `GET ${path} failed ${attempt_count} times, last: ${detail}.`
  const hint = 'Check the network and EXCHANGE_REST_URL.'
  return new OperatorError('rest_failed', message, { hint, retryable: true })
}

function refused(path: string, status: number, body: string): OperatorError {
  return new OperatorError(
    'rest_refused',
    `The exchange refused GET ${path} with HTTP ${status}: ${body.slice(0, 200)}`,
  )
}
