/**
 * One client's socket on /ws/api/v2: its channels, its heartbeat, and the cost of its calls. The
 * hub sends it the frames of its channels.
 */
import type { Socket } from 'node:net'
import type { WebSocket } from 'ws'
import { echo } from '../protocol/echo.ts'
import type { Client, Hub, Topic } from '../protocol/hub.ts'
import { Outbox } from '../protocol/outbox.ts'
import type { Source } from '../source.ts'
import { CALL_CREDITS, createCredits, SUBSCRIBE_CREDITS } from './credits.ts'
import {
  type Call,
  errorAnswer,
  invalidParams,
  notification,
  parseCall,
  resultAnswer,
  RpcError,
  tooManyRequests,
} from './json-rpc.ts'
import { resultOf } from './methods.ts'

export interface DeribitOptions {
  /** Length of a second for public/set_heartbeat [ms]; tests shorten it. */
  readonly heartbeat_second_ms: number
  /** Set by a fault: the socket closes this long after it was opened. */
  readonly closes_after_ms: number | undefined
}

type DeribitSource = Pick<Source, 'topicsOf' | 'indexes' | 'rest'>

export const DERIBIT_PATH = '/ws/api/v2'

const HEARTBEAT_S_MIN = 10
const CHANNELS_PER_CALL_MAX = 500
const GOING_AWAY = 1001
const POLICY_VIOLATION = 1008
const TERMINATE_LIMIT_MS = 500

/** Runs Deribit's protocol on the socket until it closes. */
export function openDeribitSession(
  ws: WebSocket,
  socket: Socket,
  hub: Hub,
  source: DeribitSource,
  options: DeribitOptions,
): void {
  hub.clients.add(new DeribitSession(ws, socket, hub, source, options))
}

class DeribitSession implements Client {
  readonly combined = false
  readonly in_microseconds = false
  readonly outbox: Outbox
  readonly #ws: WebSocket
  readonly #socket: Socket
  readonly #hub: Hub
  readonly #source: DeribitSource
  readonly #options: DeribitOptions
  readonly #channels = new Map<string, readonly Topic[]>()
  readonly #mayCall = createCredits(CALL_CREDITS, performance.now())
  readonly #maySubscribe = createCredits(SUBSCRIBE_CREDITS, performance.now())
  #heartbeat: NodeJS.Timeout | undefined
  #is_test_unanswered = false

  constructor(
    ws: WebSocket,
    socket: Socket,
    hub: Hub,
    source: DeribitSource,
    options: DeribitOptions,
  ) {
    this.outbox = new Outbox(socket)
    this.#ws = ws
    this.#socket = socket
    this.#hub = hub
    this.#source = source
    this.#options = options
    const { closes_after_ms } = options
    const life =
      closes_after_ms === undefined
        ? undefined
        : setTimeout(() => this.#close(GOING_AWAY, 'going away'), closes_after_ms)
    ws.on('message', (data) => this.#receive(String(data)))
    // 'close' follows every 'error'.
    ws.on('error', () => undefined)
    ws.on('close', () => {
      clearTimeout(life)
      clearInterval(this.#heartbeat)
      this.#leave()
    })
  }

  isOpen(): boolean {
    return this.#ws.readyState === this.#ws.OPEN
  }

  echo(): Promise<void> {
    return echo(this.#ws, this.outbox)
  }

  /** Deribit does not announce a shutdown. */
  shutdownFrame(): undefined {
    return undefined
  }

  terminate(): void {
    this.#leave()
    this.#socket.destroySoon()
    setTimeout(() => this.#socket.destroy(), TERMINATE_LIMIT_MS).unref()
  }

  #receive(text: string): void {
    if (!this.isOpen()) return
    const came_in_us = this.#nowMicros()
    let call: Call | undefined
    try {
      call = parseCall(text)
      this.#spend(call.method)
      const result = this.#resultOf(call)
      this.#answer(resultAnswer(call.id, result, [came_in_us, this.#nowMicros()]))
    } catch (error) {
      if (!(error instanceof RpcError)) throw error
      this.#answer(errorAnswer(call?.id ?? null, error, [came_in_us, this.#nowMicros()]))
      // A client that has used up its credits is disconnected.
      if (error.code === tooManyRequests().code) this.#close(POLICY_VIOLATION, error.message)
    }
  }

  #spend(method: string): void {
    const may = method === 'public/subscribe' ? this.#maySubscribe : this.#mayCall
    if (!may(performance.now())) throw tooManyRequests()
  }

  #resultOf({ method, params }: Call): unknown {
    switch (method) {
      case 'public/subscribe':
        return channelsOf(params).filter((channel) => this.#subscribe(channel))
      case 'public/unsubscribe':
        return channelsOf(params).filter((channel) => this.#unsubscribe(channel))
      case 'public/set_heartbeat':
        return this.#setHeartbeat(params['interval'])
      case 'public/disable_heartbeat':
        clearInterval(this.#heartbeat)
        return 'ok'
      case 'public/test':
        this.#is_test_unanswered = false
    }
    const { indexes, rest } = this.#source
    const result = resultOf(method, params, { indexes, nowMs: () => rest.nowMs() })
    if (result === undefined) throw new RpcError(-32601, 'Method not found')
    return result
  }

  /** Returns false for an unknown channel, which the response omits. */
  #subscribe(channel: string): boolean {
    const topics = this.#source.topicsOf(channel)
    if (topics.length === 0) return false
    this.#channels.set(channel, topics)
    for (const topic of topics) {
      topic.clients.add(this)
      topic.intended = true
    }
    return true
  }

  #unsubscribe(channel: string): boolean {
    const topics = this.#channels.get(channel)
    if (topics === undefined) return false
    this.#channels.delete(channel)
    for (const topic of topics) {
      topic.clients.delete(this)
      topic.intended = topic.clients.size > 0
    }
    return true
  }

  #setHeartbeat(interval: unknown): string {
    if (typeof interval !== 'number' || interval < HEARTBEAT_S_MIN) {
      throw invalidParams('interval', `must be at least ${HEARTBEAT_S_MIN}`)
    }
    clearInterval(this.#heartbeat)
    this.#is_test_unanswered = false
    const interval_ms = interval * this.#options.heartbeat_second_ms
    this.#heartbeat = setInterval(() => this.#beat(), interval_ms)
    return 'ok'
  }

  #beat(): void {
    if (this.#is_test_unanswered) return this.#close(POLICY_VIOLATION, 'test_request unanswered')
    this.#is_test_unanswered = true
    for (const type of ['heartbeat', 'test_request']) {
      this.#answer(notification('heartbeat', { type }))
    }
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

  /** The socket is gone, but the client did not unsubscribe: its channels stay intended. */
  #leave(): void {
    this.#hub.clients.delete(this)
    for (const topic of [...this.#channels.values()].flat()) topic.clients.delete(this)
  }

  #nowMicros(): number {
    return this.#source.rest.nowMs() * 1_000
  }
}

function channelsOf(params: Call['params']): readonly string[] {
  const { channels } = params
  const is_list = Array.isArray(channels) && channels.every((name) => typeof name === 'string')
  if (!is_list) throw invalidParams('channels', 'must be a list of names')
  if (channels.length > CHANNELS_PER_CALL_MAX) {
    throw invalidParams('channels', `at most ${CHANNELS_PER_CALL_MAX}`)
  }
  return [...new Set(channels as readonly string[])]
}
