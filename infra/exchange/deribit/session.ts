/**
 * One client's socket on /ws/api/v2: its channels, its heartbeat, and the cost of its calls. The
 * hub sends it the frames of its channels.
 */
import type { Socket } from 'node:net'
import type { WebSocket } from 'ws'
import type { Hub } from '../protocol/hub.ts'
import { POLICY_VIOLATION, TopicSocket } from '../protocol/topic-socket.ts'
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
  /** True while a fault refuses a subscription to the channel. */
  readonly refusesStream: (channel: string) => boolean
}

type DeribitSource = Pick<Source, 'topicsOf' | 'indexes' | 'rest'>

export const DERIBIT_PATH = '/ws/api/v2'

const HEARTBEAT_S_MIN = 10
const CHANNELS_PER_CALL_MAX = 500

/** Runs Deribit's protocol on the socket until it closes. */
export function openDeribitSession(
  ws: WebSocket,
  socket: Socket,
  hub: Hub,
  source: DeribitSource,
  options: DeribitOptions,
): void {
  const client = new TopicSocket(ws, socket, hub, { life_ms: options.closes_after_ms })
  const session = new DeribitSession(client, source, options)
  ws.on('message', (data) => {
    if (client.isOpen()) session.receive(String(data))
  })
  ws.on('close', () => session.stop())
}

class DeribitSession {
  readonly #client: TopicSocket
  readonly #source: DeribitSource
  readonly #options: DeribitOptions
  readonly #mayCall = createCredits(CALL_CREDITS, performance.now())
  readonly #maySubscribe = createCredits(SUBSCRIBE_CREDITS, performance.now())
  #heartbeat: NodeJS.Timeout | undefined
  #is_test_unanswered = false

  constructor(client: TopicSocket, source: DeribitSource, options: DeribitOptions) {
    this.#client = client
    this.#source = source
    this.#options = options
  }

  stop(): void {
    clearInterval(this.#heartbeat)
  }

  receive(text: string): void {
    const came_in_us = this.#nowMicros()
    let call: Call | undefined
    try {
      call = parseCall(text)
      this.#spend(call.method)
      const result = this.#resultOf(call)
      this.#client.send(resultAnswer(call.id, result, [came_in_us, this.#nowMicros()]))
    } catch (error) {
      if (!(error instanceof RpcError)) throw error
      this.#client.send(errorAnswer(call?.id ?? null, error, [came_in_us, this.#nowMicros()]))
      // A client that has used up its credits is disconnected.
      if (error.code === tooManyRequests().code) this.#client.close(POLICY_VIOLATION, error.message)
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
    if (this.#options.refusesStream(channel)) return false
    const topics = this.#source.topicsOf(channel)
    if (topics.length === 0) return false
    this.#client.join(channel, topics)
    return true
  }

  #unsubscribe(channel: string): boolean {
    if (!this.#client.has(channel)) return false
    this.#client.drop(channel)
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
    if (this.#is_test_unanswered)
      return this.#client.close(POLICY_VIOLATION, 'test_request unanswered')
    this.#is_test_unanswered = true
    for (const type of ['heartbeat', 'test_request']) {
      this.#client.send(notification('heartbeat', { type }))
    }
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
