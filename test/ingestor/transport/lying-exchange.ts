/**
 * A local WebSocket server that misbehaves as requested: refuses handshakes, never acknowledges,
 * goes silent, cuts, freezes, sends noise, announces its end. It speaks the SUBSCRIBE protocol of
 * Binance and records every request.
 */
import type { IncomingMessage } from 'node:http'
import type { AddressInfo, Socket } from 'node:net'
import { createServer } from 'node:http'
import { WebSocketServer, type WebSocket } from 'ws'

export interface Request {
  readonly socket: number
  readonly method: string
  readonly params: readonly string[]
}

export interface Behaviour {
  /** Answers the handshake with this status instead. */
  refuse?: { status: number; retry_after_s?: number } | undefined
  acknowledges: boolean
  /** Error answers for requests that name this stream. */
  refused_stream?: string | undefined
  /** The sockets with these numbers, from 1, deliver nothing for matching streams. */
  mute?: { sockets: readonly number[]; streams: RegExp } | undefined
  answers_pings: boolean
  /** These sockets deliver late. */
  lag?: { sockets: readonly number[]; delay_ms: number } | undefined
}

export interface Client {
  readonly number: number
  readonly path: string
  readonly streams: Set<string>
  readonly socket: WebSocket
  readonly wire: Socket
}

export interface LyingExchange {
  readonly ws_url: string
  readonly behaviour: Behaviour
  readonly requests: readonly Request[]
  /** When each handshake arrived, including refused ones. */
  readonly handshakes: readonly number[]
  /** Open sockets, oldest first. */
  clients(): readonly Client[]
  /** Sends a payload to every socket that subscribed to the stream. Returns how many. */
  publish(stream: string, payload?: unknown): number
  stop(): Promise<void>
}

export async function startLyingExchange(): Promise<LyingExchange> {
  const behaviour: Behaviour = { acknowledges: true, answers_pings: true }
  const requests: Request[] = []
  const handshakes: number[] = []
  const clients = new Set<Client>()
  const http = createServer()
  const server = new WebSocketServer({ noServer: true, perMessageDeflate: false, autoPong: false })
  let client_count = 0

  http.on('upgrade', (request: IncomingMessage, wire: Socket, head: Buffer) => {
    handshakes.push(performance.now())
    wire.on('error', () => undefined)
    if (behaviour.refuse !== undefined) return refuse(wire, behaviour.refuse)
    server.handleUpgrade(request, wire, head, (socket) => {
      const path = request.url ?? ''
      const client: Client = { number: ++client_count, path, streams: new Set(), socket, wire }
      clients.add(client)
      socket.on('close', () => clients.delete(client))
      socket.on('error', () => undefined)
      socket.on('ping', (data) => behaviour.answers_pings && socket.pong(data))
      socket.on('message', (data: Buffer) => {
        requests.push(answer(client, behaviour, data.toString('utf8')))
      })
    })
  })
  await new Promise<void>((resolve) => http.listen(0, '127.0.0.1', resolve))

  return {
    ws_url: `ws://127.0.0.1:${(http.address() as AddressInfo).port}`,
    behaviour,
    requests,
    handshakes,
    clients: () => [...clients],
    publish(stream, payload = { e: 'test' }) {
      const { mute } = behaviour
      let sent_count = 0
      for (const client of clients) {
        if (!client.streams.has(stream)) continue
        if (mute?.sockets.includes(client.number) === true && mute.streams.test(stream)) continue
        const text = JSON.stringify({ stream, data: payload })
        const { lag } = behaviour
        if (lag?.sockets.includes(client.number) === true) {
          setTimeout(() => client.socket.send(text), lag.delay_ms)
        } else {
          client.socket.send(text)
        }
        sent_count++
      }
      return sent_count
    },
    async stop() {
      for (const client of clients) client.socket.terminate()
      await new Promise<void>((resolve) => http.close(() => resolve()))
    },
  }
}

function refuse(wire: Socket, refusal: { status: number; retry_after_s?: number }): void {
  const { status, retry_after_s } = refusal
  const headers = ['Content-Length: 0', 'Connection: close']
  if (retry_after_s !== undefined) headers.push(`Retry-After: ${retry_after_s}`)
  wire.end([`HTTP/1.1 ${status} No`, ...headers, '', ''].join('\r\n'))
}

function answer(client: Client, behaviour: Behaviour, text: string): Request {
  const asked = JSON.parse(text) as { method: string; params: string[]; id: number }
  const { method, params, id } = asked
  const request = { socket: client.number, method, params }
  if (!behaviour.acknowledges) return request
  if (behaviour.refused_stream !== undefined && params.includes(behaviour.refused_stream)) {
    client.socket.send(JSON.stringify({ error: { code: 2, msg: 'invalid stream' }, id }))
    return request
  }
  for (const name of params) {
    if (method === 'SUBSCRIBE') client.streams.add(name)
    else client.streams.delete(name)
  }
  client.socket.send(JSON.stringify({ result: null, id }))
  return request
}
