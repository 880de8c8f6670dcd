/**
 * One client's socket on /v5/public/linear: its topics, and the pings it must send. The hub sends
 * it the frames of its topics; the first frame of a subscription comes from the source.
 */
import { randomUUID } from 'node:crypto'
import type { Socket } from 'node:net'
import type { WebSocket } from 'ws'
import type { Hub } from '../protocol/hub.ts'
import { GOING_AWAY, TopicSocket } from '../protocol/topic-socket.ts'
import type { Source } from '../source.ts'
import { answer, type Command, parseCommand } from './commands.ts'

export interface BybitOptions {
  /** A client that is silent for this long is disconnected. */
  readonly bybit_quiet_limit_ms: number
  /** Set by a fault: the socket closes this long after it was opened. */
  readonly closes_after_ms: number | undefined
  /** True while a fault refuses a subscription to the topic. */
  readonly refusesStream: (topic: string) => boolean
}

type BybitSource = Pick<Source, 'topicsOf' | 'openingFrame'>

export const BYBIT_PATH = '/v5/public/linear'

/** Total length of a socket's topic names. */
const ARGS_CHARS_MAX = 21_000

/** Runs Bybit's protocol on the socket until it closes. */
export function openBybitSession(
  ws: WebSocket,
  socket: Socket,
  hub: Hub,
  source: BybitSource,
  options: BybitOptions,
): void {
  const client = new TopicSocket(ws, socket, hub, { life_ms: options.closes_after_ms })
  const session = new BybitSession(client, source, options.refusesStream)
  const quiet = setTimeout(
    () => client.close(GOING_AWAY, 'No request for too long'),
    options.bybit_quiet_limit_ms,
  )
  ws.on('message', (data) => {
    quiet.refresh()
    if (client.isOpen()) session.receive(String(data))
  })
  ws.on('close', () => clearTimeout(quiet))
}

class BybitSession {
  readonly #client: TopicSocket
  readonly #source: BybitSource
  readonly #refusesStream: BybitOptions['refusesStream']
  readonly #conn_id = randomUUID()

  constructor(
    client: TopicSocket,
    source: BybitSource,
    refusesStream: BybitOptions['refusesStream'],
  ) {
    this.#client = client
    this.#source = source
    this.#refusesStream = refusesStream
  }

  receive(text: string): void {
    const command = parseCommand(text)
    if (command === undefined) {
      return this.#client.send(answer({ op: '', req_id: '' }, this.#conn_id, 'Params Error', false))
    }
    if (command.op === 'ping') return this.#client.send(answer(command, this.#conn_id, 'pong'))
    const wrong = this.#fault(command)
    this.#client.send(answer(command, this.#conn_id, wrong ?? '', wrong === undefined))
    if (wrong !== undefined) return
    for (const name of command.args) {
      if (command.op === 'unsubscribe') this.#client.drop(name)
      else this.#subscribe(name)
    }
  }

  /** The error of a command, if any; one invalid topic rejects the whole command. */
  #fault({ op, args }: Command): string | undefined {
    if (op === 'unsubscribe') return undefined
    if (op !== 'subscribe') return `error:request not supported,op:${op.slice(0, 40)}`
    if (args.length === 0) return 'error:args is empty'
    const chars = [...this.#client.names, ...args].reduce((sum, name) => sum + name.length, 0)
    if (chars > ARGS_CHARS_MAX) return `error:args are longer than ${ARGS_CHARS_MAX} characters`
    for (const name of args) {
      if (this.#client.has(name)) return `error:already subscribed,topic:${name}`
      if (this.#refusesStream(name) || this.#source.topicsOf(name).length === 0) {
        return `error:handler not found,topic:${name}`
      }
    }
    return undefined
  }

  #subscribe(name: string): void {
    // The state is sent and the topic joined in the same turn, so no change is missed in between.
    const opening = this.#source.openingFrame?.(name)
    if (opening !== undefined) this.#client.send(opening)
    this.#client.join(name, this.#source.topicsOf(name))
  }
}
