/** WebSocket handshakes: parses the path, and accepts or refuses the client. */
import { STATUS_CODES, type IncomingMessage, type Server } from 'node:http'
import { Socket } from 'node:net'
import type { Duplex } from 'node:stream'
import { type WebSocket, WebSocketServer } from 'ws'
import type { FaultDesk, Refusal } from '../faults/desk.ts'
import type { Source } from '../source.ts'
import type { Hub } from './hub.ts'
import { openSession, type SessionLimits } from './session.ts'
import type { Route } from './streams.ts'

export interface SocketRequest {
  readonly route: Route
  readonly combined: boolean
  readonly streams: readonly string[]
  /** Default: false. */
  readonly in_microseconds?: boolean
}

/** Paths of other protocols, each with a handler for its sockets. */
export type SocketHandlers = Readonly<
  Record<string, (ws: WebSocket, socket: Socket, closes_after_ms: number | undefined) => void>
>

/** About twice a SUBSCRIBE with the maximum number of streams. */
const CLIENT_MESSAGE_BYTES_MAX = 64 * 1024

export function acceptSockets(
  server: Server,
  hub: Hub,
  source: Pick<Source, 'topicsOf'>,
  faults: FaultDesk,
  limits: SessionLimits,
  handlers: SocketHandlers = {},
  parsePath = parseSocketPath,
): void {
  const sockets = new WebSocketServer({
    noServer: true,
    perMessageDeflate: false,
    maxPayload: CLIENT_MESSAGE_BYTES_MAX,
  })
  server.on('upgrade', (request: IncomingMessage, stream: Duplex, head: Buffer) => {
    // Ignores a reset by the client during the handshake.
    stream.on('error', () => undefined)
    if (faults.refusesSockets() || !(stream instanceof Socket)) {
      stream.destroy()
      return
    }
    const refusal = faults.refusal('handshake', (request.url ?? '').split('?')[0]!)
    if (refusal !== undefined) return refuse(stream, refusal)
    const openSocket = handlers[request.url ?? '']
    if (openSocket !== undefined) {
      stream.setNoDelay(true)
      sockets.handleUpgrade(request, stream, head, (ws) => {
        openSocket(ws, stream, faults.closesAfterMs())
      })
      return
    }
    const asked = parsePath(request.url ?? '')
    if (asked === undefined) return refuse(stream, { status: 404, retry_after_s: undefined })
    if (asked.streams.length > limits.streams_per_socket_max) {
      return refuse(stream, { status: 400, retry_after_s: undefined })
    }
    stream.setNoDelay(true)
    sockets.handleUpgrade(request, stream, head, (ws) => {
      const closes_after_ms = faults.closesAfterMs()
      const { in_microseconds = false } = asked
      openSession(ws, stream, hub, source, {
        ...asked,
        in_microseconds,
        limits,
        closes_after_ms,
        refusesStream: (name) => faults.refusesStream(name),
      })
    })
  })
}

/**
 * `/public/stream?streams=a/b`, `/market/ws/a/b`, and the legacy `/stream` and `/ws`, which still
 * connect but deliver only streams of the public route.
 */
export function parseSocketPath(url: string): SocketRequest | undefined {
  const asked = parseStreamPath(url)
  if (asked === undefined) return undefined
  const { prefix, combined, streams } = asked
  return { route: prefix === '/market' ? 'market' : 'public', combined, streams }
}

/** Parses the common part of Binance's paths; `prefix` is a route or empty. */
export function parseStreamPath(url: string):
  | {
      readonly prefix: string
      readonly combined: boolean
      readonly streams: readonly string[]
    }
  | undefined {
  const [path = '', query = ''] = url.split('?', 2)
  const match = /^(\/(?:public|market))?\/(stream|ws)(?:\/(.*))?$/.exec(path)
  if (match === null) return undefined
  const combined = match[2] === 'stream'
  const names = combined ? new URLSearchParams(query).get('streams') : decode(match[3] ?? '')
  if (names === undefined) return undefined
  const streams = [...new Set((names ?? '').split('/').filter((name) => name !== ''))]
  return { prefix: match[1] ?? '', combined, streams }
}

function decode(text: string): string | undefined {
  try {
    return decodeURIComponent(text)
  } catch {
    return undefined
  }
}

function refuse(socket: Socket, { status, retry_after_s }: Refusal): void {
  const retry = retry_after_s === undefined ? '' : `Retry-After: ${retry_after_s}\r\n`
  socket.end(
    `HTTP/1.1 ${status} ${STATUS_CODES[status]}\r\n${retry}Connection: close\r\nContent-Length: 0\r\n\r\n`,
  )
}
