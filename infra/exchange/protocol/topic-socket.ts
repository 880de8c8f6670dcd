/**
 * A client's socket as the hub sees it, for the protocols of all exchanges: its topics, its
 * lifetime and its end. The protocol decides what the client may ask for.
 */
import type { Socket } from 'node:net'
import type { WebSocket } from 'ws'
import { echo } from './echo.ts'
import type { Client, Hub, Topic } from './hub.ts'
import { Outbox } from './outbox.ts'

export interface TopicSocketOptions {
  /** Undefined: it may stay open. */
  readonly life_ms: number | undefined
  readonly combined?: boolean
  readonly in_microseconds?: boolean
  /** Undefined: the exchange does not announce a shutdown. */
  readonly shutdownFrame?: (event: string) => string
}

/** RFC 6455: the server goes away; the client violated a policy. */
export const GOING_AWAY = 1001
export const POLICY_VIOLATION = 1008
const TERMINATE_LIMIT_MS = 500

export class TopicSocket implements Client {
  readonly combined: boolean
  readonly in_microseconds: boolean
  readonly outbox: Outbox
  readonly #ws: WebSocket
  readonly #socket: Socket
  readonly #hub: Hub
  readonly #options: TopicSocketOptions
  readonly #topics = new Map<string, readonly Topic[]>()

  constructor(ws: WebSocket, socket: Socket, hub: Hub, options: TopicSocketOptions) {
    const { life_ms, combined = false, in_microseconds = false } = options
    this.combined = combined
    this.in_microseconds = in_microseconds
    this.outbox = new Outbox(socket)
    this.#ws = ws
    this.#socket = socket
    this.#hub = hub
    this.#options = options
    const life =
      life_ms === undefined
        ? undefined
        : setTimeout(() => this.close(GOING_AWAY, 'Connection lifetime is over'), life_ms)
    // 'close' follows every 'error'.
    ws.on('error', () => undefined)
    ws.on('close', () => {
      clearTimeout(life)
      this.#leave()
    })
    hub.clients.add(this)
  }

  /** What the client has subscribed to, in the words of its requests. */
  get names(): readonly string[] {
    return [...this.#topics.keys()]
  }

  shutdownFrame(event: string): string | undefined {
    return this.#options.shutdownFrame?.(event)
  }

  isOpen(): boolean {
    return this.#ws.readyState === this.#ws.OPEN
  }

  echo(): Promise<void> {
    return echo(this.#ws, this.outbox)
  }

  terminate(): void {
    this.#leave()
    // Unsent bytes, such as the first half of a cut frame, get a short time to be read.
    this.#socket.destroySoon()
    setTimeout(() => this.#socket.destroy(), TERMINATE_LIMIT_MS).unref()
  }

  has(name: string): boolean {
    return this.#topics.has(name)
  }

  join(name: string, topics: readonly Topic[]): void {
    this.#topics.set(name, topics)
    for (const topic of topics) {
      topic.clients.add(this)
      topic.intended = true
    }
  }

  /** A topic that another name includes stays. */
  drop(name: string): void {
    const topics = this.#topics.get(name) ?? []
    this.#topics.delete(name)
    const kept = new Set([...this.#topics.values()].flat())
    for (const topic of topics) {
      if (kept.has(topic)) continue
      topic.clients.delete(this)
      topic.intended = topic.clients.size > 0
    }
  }

  /** After all frames that were published before. */
  send(text: string): void {
    this.outbox.flush()
    this.#ws.send(text)
  }

  close(code: number, reason: string): void {
    this.outbox.flush()
    this.#leave()
    this.#ws.close(code, reason)
  }

  /** The socket is gone, but the client did not unsubscribe: its topics stay intended. */
  #leave(): void {
    this.#hub.clients.delete(this)
    for (const topic of [...this.#topics.values()].flat()) topic.clients.delete(this)
  }
}
