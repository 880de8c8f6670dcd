/**
 * One client's socket after the handshake: its subscriptions, its rate limit, pings, and its
 * lifetime. The hub sends it frames.
 */
import type { Socket } from 'node:net'
import type { WebSocket } from 'ws'
import type { Source } from '../source.ts'
import { errorAnswer, parseCommand, resultAnswer } from './commands.ts'
import { echo } from './echo.ts'
import type { Client, Hub, Topic } from './hub.ts'
import { Outbox } from './outbox.ts'
import { isOnRoute, type Route } from './streams.ts'

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
}

/** RFC 6455: the client violated a policy. */
const POLICY_VIOLATION = 1008
const GOING_AWAY = 1001
const TERMINATE_LIMIT_MS = 500

/** Runs the protocol on the socket until it closes. */
export function openSession(
  ws: WebSocket,
  socket: Socket,
  hub: Hub,
  source: Pick<Source, 'topicsOf'>,
  options: SessionOptions,
): void {
  const session = new Session(ws, socket, hub, source, options)
  hub.clients.add(session)
  session.subscribe(options.streams)
}

class Session implements Client {
  readonly combined: boolean
  readonly in_microseconds: boolean
  readonly outbox: Outbox
  readonly #ws: WebSocket
  readonly #socket: Socket
  readonly #hub: Hub
  readonly #source: Pick<Source, 'topicsOf'>
  readonly #route: Route
  readonly #limits: SessionLimits
  readonly #subscriptions = new Map<string, readonly Topic[]>()
  readonly #withinRate: (now: number) => boolean
  #pong_at = performance.now()
  #ping_payload = ''

  constructor(
    ws: WebSocket,
    socket: Socket,
    hub: Hub,
    source: Pick<Source, 'topicsOf'>,
    options: SessionOptions,
  ) {
    const { limits } = options
    this.combined = options.combined
    this.in_microseconds = options.in_microseconds
    this.outbox = new Outbox(socket)
    this.#ws = ws
    this.#socket = socket
    this.#hub = hub
    this.#source = source
    this.#route = options.route
    this.#limits = limits
    this.#withinRate = createRateCheck(limits.messages_per_second_max)
    const ping = setInterval(() => this.#ping(), limits.ping_interval_ms)
    const life_ms = Math.min(limits.socket_life_ms, options.closes_after_ms ?? Infinity)
    const life = setTimeout(() => this.#close(GOING_AWAY, 'Connection lifetime is over'), life_ms)
    ws.on('message', (data, is_binary) => this.#count(() => this.#receive(String(data), is_binary)))
    ws.on('ping', () => this.#count())
    ws.on('pong', (payload) => {
      const is_answer = limits.takes_any_pong || String(payload) === this.#ping_payload
      if (is_answer) this.#pong_at = performance.now()
      this.#count()
    })
    // 'close' follows every 'error'.
    ws.on('error', () => undefined)
    ws.on('close', () => {
      clearInterval(ping)
      clearTimeout(life)
      this.#leave()
    })
  }

  isOpen(): boolean {
    return this.#ws.readyState === this.#ws.OPEN
  }

  echo(): Promise<void> {
    return echo(this.#ws, this.outbox)
  }

  shutdownFrame(event: string): string {
    return this.combined ? `{"stream":"!serverShutdown","data":${event}}` : event
  }

  terminate(): void {
    this.#leave()
    // Unsent bytes, such as the first half of a cut frame, get a short time to be read.
    this.#socket.destroySoon()
    setTimeout(() => this.#socket.destroy(), TERMINATE_LIMIT_MS).unref()
  }

  subscribe(streams: Iterable<string>): void {
    for (const stream of streams) {
      // Unknown streams and streams of the other route are acknowledged but never delivered.
      const topics = isOnRoute(stream, this.#route) ? this.#source.topicsOf(stream) : []
      this.#subscriptions.set(stream, topics)
      for (const topic of topics) {
        topic.clients.add(this)
        topic.intended = true
      }
    }
  }

  #unsubscribe(stream: string): void {
    const topics = this.#subscriptions.get(stream) ?? []
    this.#subscriptions.delete(stream)
    const kept = new Set([...this.#subscriptions.values()].flat())
    for (const topic of topics) {
      if (kept.has(topic)) continue
      topic.clients.delete(this)
      topic.intended = topic.clients.size > 0
    }
  }

  #receive(text: string, is_binary: boolean): void {
    if (is_binary) return this.#close(POLICY_VIOLATION, 'Text frames only')
    const command = parseCommand(text)
    const subscriptions = this.#subscriptions
    if (command.kind === 'error') return this.#answer(command.answer)
    const { id } = command
    if (command.kind === 'list') return this.#answer(resultAnswer(id, [...subscriptions.keys()]))
    if (command.kind === 'unsubscribe') {
      for (const stream of command.streams) this.#unsubscribe(stream)
      return this.#answer(resultAnswer(id))
    }
    const added = new Set(command.streams.filter((stream) => !subscriptions.has(stream)))
    if (subscriptions.size + added.size > this.#limits.streams_per_socket_max) {
      return this.#answer(errorAnswer(2, 'Invalid request: too many parameters', id))
    }
    // The acknowledgement comes first, as on Binance.
    this.#answer(resultAnswer(id))
    this.subscribe(added)
  }

  /** Requests, pings and pongs all count towards the rate limit. */
  #count(handle?: () => void): void {
    if (!this.isOpen()) return
    if (this.#withinRate(performance.now())) handle?.()
    else this.#close(POLICY_VIOLATION, 'Too many requests')
  }

  #ping(): void {
    if (performance.now() - this.#pong_at > this.#limits.pong_limit_ms) return this.terminate()
    if (!this.isOpen()) return
    this.#ping_payload = String(Date.now())
    this.#ws.ping(this.#ping_payload)
  }

  #answer(text: string): void {
    this.outbox.flush()
    this.#ws.send(text)
  }

  #close(code: number, reason: string): void {
    this.outbox.flush()
    this.#leave()
    this.#ws.close(code, reason)
  }

  /** The socket is gone, but the client did not unsubscribe: its streams stay intended. */
  #leave(): void {
    this.#hub.clients.delete(this)
    for (const topic of [...this.#subscriptions.values()].flat()) topic.clients.delete(this)
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
