/**
 * One client's socket after the handshake: its subscriptions, its rate limit, pings, and its
 * lifetime. The hub sends it frames.
 */
import type { Socket } from 'node:net'
import type { WebSocket } from 'ws'
import type { Source } from '../source.ts'
import { errorAnswer, parseCommand, resultAnswer } from './commands.ts'
import type { Hub } from './hub.ts'
import { isOnRoute, type Route } from './streams.ts'
import { POLICY_VIOLATION, TopicSocket } from './topic-socket.ts'

export interface SessionLimits {
  readonly streams_per_socket_max: number
  /** Requests, pings and pongs. Above this rate, the socket is closed. */
  readonly messages_per_second_max: number
  readonly ping_interval_ms: number
  readonly pong_limit_ms: number
  /** False: only a pong with the payload of the last ping counts. */
  readonly takes_any_pong: boolean
  readonly socket_life_ms: number
}

export interface SessionOptions {
  readonly route: Route
  readonly combined: boolean
  readonly in_microseconds: boolean
  readonly streams: readonly string[]
  readonly limits: SessionLimits
  /** Set by a fault: the socket closes this long after it was opened. */
  readonly closes_after_ms: number | undefined
  /** True while a fault refuses a subscription to the stream. */
  readonly refusesStream: (stream: string) => boolean
}

/** Runs the protocol on the socket until it closes. */
export function openSession(
  ws: WebSocket,
  socket: Socket,
  hub: Hub,
  source: Pick<Source, 'topicsOf'>,
  options: SessionOptions,
): void {
  const { combined, in_microseconds, limits, closes_after_ms = Infinity } = options
  const client = new TopicSocket(ws, socket, hub, {
    life_ms: Math.min(limits.socket_life_ms, closes_after_ms),
    combined,
    in_microseconds,
    shutdownFrame: (event) => (combined ? `{"stream":"!serverShutdown","data":${event}}` : event),
  })
  new Session(ws, client, source, options).subscribe(options.streams)
}

class Session {
  readonly #ws: WebSocket
  readonly #client: TopicSocket
  readonly #source: Pick<Source, 'topicsOf'>
  readonly #route: Route
  readonly #limits: SessionLimits
  readonly #withinRate: (now: number) => boolean
  readonly #refusesStream: SessionOptions['refusesStream']
  #pong_at = performance.now()
  #ping_payload = ''

  constructor(
    ws: WebSocket,
    client: TopicSocket,
    source: Pick<Source, 'topicsOf'>,
    { route, limits, refusesStream }: SessionOptions,
  ) {
    this.#ws = ws
    this.#client = client
    this.#source = source
    this.#route = route
    this.#limits = limits
    this.#refusesStream = refusesStream
    this.#withinRate = createRateCheck(limits.messages_per_second_max)
    const ping = setInterval(() => this.#ping(), limits.ping_interval_ms)
    ws.on('message', (data, is_binary) => this.#count(() => this.#receive(String(data), is_binary)))
    ws.on('ping', () => this.#count())
    ws.on('pong', (payload) => {
      const is_answer = limits.takes_any_pong || String(payload) === this.#ping_payload
      if (is_answer) this.#pong_at = performance.now()
      this.#count()
    })
    ws.on('close', () => clearInterval(ping))
  }

  subscribe(streams: Iterable<string>): void {
    for (const stream of streams) {
      // Unknown streams and streams of the other route are acknowledged but never delivered.
      const topics = isOnRoute(stream, this.#route) ? this.#source.topicsOf(stream) : []
      this.#client.join(stream, topics)
    }
  }

  #receive(text: string, is_binary: boolean): void {
    if (is_binary) return this.#client.close(POLICY_VIOLATION, 'Text frames only')
    const command = parseCommand(text)
    const client = this.#client
    if (command.kind === 'error') return this.#client.send(command.answer)
    const { id } = command
    if (command.kind === 'list') return this.#client.send(resultAnswer(id, client.names))
    if (command.kind === 'unsubscribe') {
      for (const stream of command.streams) client.drop(stream)
      return this.#client.send(resultAnswer(id))
    }
    const added = new Set(command.streams.filter((stream) => !client.has(stream)))
    if (client.names.length + added.size > this.#limits.streams_per_socket_max) {
      return this.#client.send(errorAnswer(2, 'Invalid request: too many parameters', id))
    }
    const refused = command.streams.find(this.#refusesStream)
    if (refused !== undefined) {
      return this.#client.send(errorAnswer(2, `Invalid request: no stream ${refused}`, id))
    }
    // The acknowledgement comes first, as on Binance.
    this.#client.send(resultAnswer(id))
    this.subscribe(added)
  }

  /** Requests, pings and pongs all count towards the rate limit. */
  #count(handle?: () => void): void {
    if (!this.#client.isOpen()) return
    if (this.#withinRate(performance.now())) handle?.()
    else this.#client.close(POLICY_VIOLATION, 'Too many requests')
  }

  #ping(): void {
    if (performance.now() - this.#pong_at > this.#limits.pong_limit_ms)
      return this.#client.terminate()
    if (!this.#client.isOpen()) return
    this.#ping_payload = String(Date.now())
    this.#ws.ping(this.#ping_payload)
  }
}

/** Returns true while at most `per_second_max` calls fall within one second. */
function createRateCheck(per_second_max: number): (now: number) => boolean {
  const recent: number[] = []
  return (now) => {
    while (recent.length > 0 && now - recent[0]! >= 1_000) recent.shift()
    recent.push(now)
    return recent.length <= per_second_max
  }
}
