/**
 * A typed client of the live stream, for browsers and Node 22 or newer: an async iterable without
 * gaps. It reconnects, resumes every stream after its newest message, and leaves out what it has
 * delivered. A caller that reads slowly loses nothing: the client disconnects when its buffer is
 * full and resumes once it is empty.
 *
 *     for await (const message of openLive({ url, channels: ['trades'], symbols: ['BTCUSDT'] })) …
 *
 * It throws a LiveError if it cannot continue without a gap, or a retry would not help.
 */
import { LivePlaces } from './live-place.ts'
import {
  type ClusterOptions,
  type LiveChannel,
  type LiveCursor,
  LiveError,
  type LiveMessage,
} from './live-types.ts'

export * from './live-types.ts'

export interface LiveOptions<Channel extends LiveChannel> {
  /** Of the edge API, or of a live server. */
  readonly url: string
  readonly token?: string
  readonly channels: readonly Channel[]
  readonly symbols: readonly string[]
  readonly exchange?: string
  readonly clusters?: ClusterOptions
  /** From an earlier stream's `cursors`: begins after them. */
  readonly resume?: readonly LiveCursor[]
  readonly signal?: AbortSignal
  /** Called when a connection is opened or lost. */
  readonly onConnection?: (is_open: boolean) => void
}

export interface Live<Channel extends LiveChannel> extends AsyncIterable<LiveMessage<Channel>> {
  /** After what the caller has received: store them to resume in another process. */
  readonly cursors: readonly LiveCursor[]
  close(): void
}

const PROTOCOL = 'booktape.live.v1'
/** Longer than a server is silent: it sends heartbeats. */
const SILENT_MS = 20_000
const BACKOFF_MS = { first: 100, max: 5_000 }
const BUFFER_MAX = 10_000
/** Failures in a row after which the reason is asked for over HTTP. */
const FAILURES_TO_ASK = 3
/** Answers of the server that asking again would not change. */
const FINAL_CODES = new Set([
  'bad_cursor',
  'future_cursor',
  'outdated_cursor',
  'unknown_channel',
  'unknown_symbol',
  'ambiguous_symbol',
  'bad_message',
  'too_many_subscriptions',
  'message_too_large',
])
const FINAL_STATUSES = [400, 401, 403, 404, 410]

interface Reply extends Omit<LiveCursor, 'channel'> {
  readonly type: string
  readonly channel: LiveChannel
  readonly recovered: boolean | null
  readonly code: string
  readonly message: string
}

export function openLive<const Channel extends LiveChannel>(
  options: LiveOptions<Channel>,
): Live<Channel> {
  return new LiveFeed<Channel>(options)
}

class LiveFeed<Channel extends LiveChannel> implements Live<Channel> {
  readonly #options: LiveOptions<Channel>
  /** After what was received. */
  readonly #places: LivePlaces
  /** After what the caller has taken. */
  readonly #delivered = new Map<string, LiveCursor>()
  #buffer: LiveMessage[] = []
  #socket: WebSocket | undefined
  #timer: Timer | undefined
  #failures = 0
  #is_ended = false
  #error: unknown
  #wake: (() => void) | undefined

  constructor(options: LiveOptions<Channel>) {
    this.#options = options
    this.#places = new LivePlaces(options.resume ?? [])
    for (const cursor of options.resume ?? []) this.#delivered.set(keyOf(cursor), cursor)
    options.signal?.addEventListener('abort', () => this.close(), { once: true })
    if (options.signal?.aborted === true) this.close()
    else this.#connect()
  }

  get cursors(): readonly LiveCursor[] {
    return [...this.#delivered.values()]
  }

  close(): void {
    this.#end(undefined)
  }

  async *[Symbol.asyncIterator](): AsyncGenerator<LiveMessage<Channel>, void, undefined> {
    try {
      for (;;) {
        const messages = this.#buffer
        this.#buffer = []
        for (const message of messages) {
          const { channel, exchange, symbol, epoch, seq } = message
          this.#delivered.set(keyOf(message), { channel, exchange, symbol, epoch, seq })
          yield message as LiveMessage<Channel>
        }
        if (messages.length > 0) {
          // The buffer was full and the connection given up.
          if (this.#socket === undefined && this.#timer === undefined && !this.#is_ended) {
            this.#connect()
          }
          continue
        }
        if (this.#error !== undefined) throw this.#error
        if (this.#is_ended) return
        await new Promise<void>((resolve) => (this.#wake = resolve))
      }
    } finally {
      this.close()
    }
  }

  #connect(): void {
    this.#timer = undefined
    const { url, token } = this.#options
    const address = `${url.replace(/^http/, 'ws').replace(/\/+$/, '')}/v1/live`
    const protocols = token === undefined ? [PROTOCOL] : [PROTOCOL, `token.${token}`]
    const socket = new WebSocket(address, protocols)
    this.#socket = socket
    const isCurrent = (): boolean => this.#socket === socket
    const lose = (): void => {
      if (isCurrent()) this.#lose()
    }
    socket.addEventListener('open', () => {
      if (!isCurrent()) return
      this.#options.onConnection?.(true)
      for (const request of this.#requests()) socket.send(JSON.stringify(request))
      this.#watch(lose)
    })
    socket.addEventListener('message', ({ data }: { readonly data: unknown }) => {
      if (!isCurrent()) return
      this.#watch(lose)
      this.#take(JSON.parse(String(data)) as Reply)
    })
    socket.addEventListener('close', lose)
    socket.addEventListener('error', lose)
  }

  /** One per stream that has a cursor, and one per channel for all its others. */
  #requests(): readonly object[] {
    const { channels, symbols, exchange } = this.#options
    const named = exchange === undefined ? {} : { exchange }
    return channels.flatMap((channel): readonly object[] => {
      const bars = channel === 'clusters' ? this.#options.clusters : {}
      const known = this.#places.cursors.filter(
        (one) =>
          one.channel === channel &&
          symbols.includes(one.symbol) &&
          (exchange === undefined || one.exchange === exchange),
      )
      const resumed = known.map(({ symbol, exchange: own, epoch, seq }) => {
        const resume = { epoch, seq }
        return { op: 'subscribe', channel, symbol, exchange: own, ...bars, resume }
      })
      const fresh = symbols.filter((symbol) => !known.some((one) => one.symbol === symbol))
      if (fresh.length === 0) return resumed
      return [...resumed, { op: 'subscribe', channel, symbol: fresh, ...named, ...bars }]
    })
  }

  #take(reply: Reply): void {
    switch (reply.type) {
      case 'subscribed':
        this.#failures = 0
        return this.#places.begin(reply)
      case 'error':
      case 'closing':
        if (FINAL_CODES.has(reply.code)) this.#end(new LiveError(reply.code, reply.message))
        else this.#lose()
        return
      case 'rows':
      case 'book':
      case 'skipped': {
        // The server's word is taken for the fields of its messages.
        const message = this.#places.take(reply as unknown as LiveMessage)
        if (message === undefined) return
        this.#buffer.push(message)
        this.#wakeUp()
        if (this.#buffer.length >= BUFFER_MAX) this.#giveUp()
      }
    }
  }

  /** Disconnects until the caller has read the buffer. */
  #giveUp(): void {
    const socket = this.#socket
    this.#socket = undefined
    stopTimer(this.#timer)
    this.#timer = undefined
    this.#options.onConnection?.(false)
    socket?.close()
  }

  #lose(): void {
    const socket = this.#socket
    if (this.#is_ended || socket === undefined) return
    this.#socket = undefined
    socket.close()
    stopTimer(this.#timer)
    this.#options.onConnection?.(false)
    const delay_ms = Math.min(BACKOFF_MS.max, BACKOFF_MS.first * 2 ** Math.min(this.#failures, 10))
    this.#failures++
    const again = (): void => {
      if (!this.#is_ended) this.#connect()
    }
    this.#timer = setTimeout(
      () => {
        if (this.#failures < FAILURES_TO_ASK) return again()
        // A WebSocket does not say why it was refused.
        void this.#askWhy().then(again)
      },
      delay_ms * (0.5 + Math.random() / 2),
    )
  }

  async #askWhy(): Promise<void> {
    const { url, token, channels, symbols, exchange } = this.#options
    const query = new URLSearchParams({ channel: channels[0]!, symbol: symbols[0]!, wait: '0' })
    if (exchange !== undefined) query.set('exchange', exchange)
    const headers: Record<string, string> =
      token === undefined ? {} : { authorization: `Bearer ${token}` }
    const path = `${url.replace(/\/+$/, '')}/v1/live/poll?${query}`
    const answer = await fetch(path, { headers }).catch(() => undefined)
    if (answer === undefined) return
    const problem = (await answer.json().catch(() => ({}))) as { type?: string; detail?: string }
    if (!FINAL_STATUSES.includes(answer.status)) return
    const code = problem.type?.replace('urn:booktape:problem:', '') ?? `status_${answer.status}`
    this.#end(new LiveError(code, problem.detail ?? `The server answered ${answer.status}.`))
  }

  /** The connection counts as lost if nothing arrives for too long. */
  #watch(lose: () => void): void {
    stopTimer(this.#timer)
    this.#timer = setTimeout(lose, SILENT_MS)
  }

  #end(error: unknown): void {
    if (this.#is_ended) return
    this.#is_ended = true
    this.#error = error
    stopTimer(this.#timer)
    const socket = this.#socket
    this.#socket = undefined
    socket?.close()
    this.#wakeUp()
  }

  #wakeUp(): void {
    this.#wake?.()
    this.#wake = undefined
  }
}

/** Browsers, Workers and Node have different types for a timer. */
type Timer = ReturnType<typeof setTimeout>

function stopTimer(timer: Timer | undefined): void {
  if (timer !== undefined) clearTimeout(timer)
}

function keyOf({ channel, exchange, symbol }: LiveCursor | LiveMessage): string {
  return `${channel} ${exchange} ${symbol}`
}
