/**
 * One client's socket on /v5/public/linear: its topics, and the pings it must send. The hub sends
 * it the frames of its topics; the first frame of a subscription comes from the source.
 */
import { randomUUID } from 'node:crypto'
import type { Socket } from 'node:net'
import type { WebSocket } from 'ws'
import { echo } from '../protocol/echo.ts'
import type { Client, Hub, Topic } from '../protocol/hub.ts'
import { Outbox } from '../protocol/outbox.ts'
import type { Source } from '../source.ts'
import { answer, type Command, parseCommand } from './commands.ts'

export interface BybitOptions {
  /** A client that is silent for this long is disconnected. */
  readonly bybit_quiet_limit_ms: number
  /** Set by a fault: the socket closes this long after it was opened. */
  readonly closes_after_ms: number | undefined
}

type BybitSource = Pick<Source, 'topicsOf' | 'openingFrame'>

export const BYBIT_PATH = '/v5/public/linear'

/** Total length of a socket's topic names. */
const ARGS_CHARS_MAX = 21_000
const GOING_AWAY = 1001
const TERMINATE_LIMIT_MS = 500

/** Runs Bybit's protocol on the socket until it closes. */
export function openBybitSession(
  ws: WebSocket,
  socket: Socket,
  hub: Hub,
  source: BybitSource,
  options: BybitOptions,
): void {
  hub.clients.add(new BybitSession(ws, socket, hub, source, options))
}

class BybitSession implements Client {
  readonly combined = false
  readonly in_microseconds = false
  readonly outbox: Outbox
  readonly #ws: WebSocket
  readonly #socket: Socket
  readonly #hub: Hub
  readonly #source: BybitSource
  readonly #conn_id = randomUUID()
  readonly #topics = new Map<string, readonly Topic[]>()

  constructor(ws: WebSocket, socket: Socket, hub: Hub, source: BybitSource, options: BybitOptions) {
    this.outbox = new Outbox(socket)
    this.#ws = ws
    this.#socket = socket
    this.#hub = hub
    this.#source = source
    const { closes_after_ms } = options
    const life =
      closes_after_ms === undefined ? undefined : setTimeout(() => this.#close(), closes_after_ms)
    const quiet = setTimeout(() => this.#close(), options.bybit_quiet_limit_ms)
    ws.on('message', (data) => {
      quiet.refresh()
      if (this.isOpen()) this.#receive(String(data))
    })
    // 'close' follows every 'error'.
    ws.on('error', () => undefined)
    ws.on('close', () => {
      clearTimeout(life)
      clearTimeout(quiet)
      this.#leave()
    })
  }

  isOpen(): boolean {
    return this.#ws.readyState === this.#ws.OPEN
  }

  echo(): Promise<void> {
    return echo(this.#ws, this.outbox)
  }

  /** Bybit does not announce a shutdown. */
  shutdownFrame(): undefined {
    return undefined
  }

  terminate(): void {
    this.#leave()
    this.#socket.destroySoon()
    setTimeout(() => this.#socket.destroy(), TERMINATE_LIMIT_MS).unref()
  }

  #receive(text: string): void {
    const command = parseCommand(text)
    if (command === undefined) {
      return this.#answer(answer({ op: '', req_id: '' }, this.#conn_id, 'Params Error', false))
    }
    if (command.op === 'ping') return this.#answer(answer(command, this.#conn_id, 'pong'))
    const wrong = this.#fault(command)
    this.#answer(answer(command, this.#conn_id, wrong ?? '', wrong === undefined))
    if (wrong !== undefined) return
    for (const name of command.args) {
      if (command.op === 'unsubscribe') this.#unsubscribe(name)
      else this.#subscribe(name)
    }
  }

  /** The error of a command, if any; one invalid topic rejects the whole command. */
  #fault({ op, args }: Command): string | undefined {
    if (op === 'unsubscribe') return undefined
    if (op !== 'subscribe') return `error:request not supported,op:${op.slice(0, 40)}`
    if (args.length === 0) return 'error:args is empty'
    const chars = [...this.#topics.keys(), ...args].reduce((sum, name) => sum + name.length, 0)
    if (chars > ARGS_CHARS_MAX) return `error:args are longer than ${ARGS_CHARS_MAX} characters`
    for (const name of args) {
      if (this.#topics.has(name)) return `error:already subscribed,topic:${name}`
      if (this.#source.topicsOf(name).length === 0) return `error:handler not found,topic:${name}`
    }
    return undefined
  }

  #subscribe(name: string): void {
    const topics = this.#source.topicsOf(name)
    this.#topics.set(name, topics)
    // The state is sent and the topic joined in the same turn, so no change is missed in between.
    const opening = this.#source.openingFrame?.(name)
    if (opening !== undefined) this.#ws.send(opening)
    for (const topic of topics) {
      topic.clients.add(this)
      topic.intended = true
    }
  }

  #unsubscribe(name: string): void {
    for (const topic of this.#topics.get(name) ?? []) {
      topic.clients.delete(this)
      topic.intended = topic.clients.size > 0
    }
    this.#topics.delete(name)
  }

  #answer(text: string): void {
    this.outbox.flush()
    this.#ws.send(text)
  }

  #close(): void {
    this.outbox.flush()
    this.#leave()
    this.#ws.close(GOING_AWAY)
  }

  /** The socket is gone, but the client did not unsubscribe: its topics stay intended. */
  #leave(): void {
    this.#hub.clients.delete(this)
    for (const topic of [...this.#topics.values()].flat()) topic.clients.delete(this)
  }
}
