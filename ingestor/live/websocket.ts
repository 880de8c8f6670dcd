/**
 * Clients over WebSocket. The library ws handles the handshake, pings, closing and incoming
 * messages. Outgoing messages are complete frames (wire.ts), the same for every client, so they are
 * written to the socket directly. Without compression ws buffers nothing that could get in between.
 */
import type { IncomingMessage } from 'node:http'
import type { Socket } from 'node:net'
import type { Duplex } from 'node:stream'
import { type WebSocket, WebSocketServer } from 'ws'
import { PROTOCOL, protocolsOf } from './access.ts'
import type { Hub } from './hub.ts'
import type { Outlet } from './outlet.ts'
import { frameOf, type Message } from './wire.ts'

/** More than a message may have, so that most oversized messages get an answer. */
const PAYLOAD_BYTES_MAX = 1024 * 1024

export interface WebSocketDoor {
  accept(request: IncomingMessage, socket: Duplex, head: Buffer, token_id?: string): void
  close(): void
}

export function createWebSocketDoor(hub: Hub): WebSocketDoor {
  const server = new WebSocketServer({
    noServer: true,
    perMessageDeflate: false,
    maxPayload: PAYLOAD_BYTES_MAX,
    clientTracking: false,
    handleProtocols: (offered) => (offered.has(PROTOCOL) ? PROTOCOL : false),
  })
  return {
    accept(request, socket, head, token_id) {
      // A browser fails unless the server chooses one of the offered protocols.
      const offered = protocolsOf(request)
      if (offered[0] !== '' && !offered.includes(PROTOCOL)) {
        socket.end('HTTP/1.1 400 Bad Request\r\nconnection: close\r\n\r\n')
        return
      }
      server.handleUpgrade(request, socket, head, (websocket) => {
        const session = hub.open(outletOf(websocket, socket as Socket), token_id)
        const read = hub.reader(session)
        websocket.on('message', (data, is_binary) => {
          const bytes = data as Buffer
          read(is_binary ? '' : bytes.toString('utf8'), bytes.length)
        })
        websocket.on('error', () => undefined)
        websocket.on('close', () => session.noteClosed())
      })
    },
    close: () => server.close(),
  }
}

function outletOf(websocket: WebSocket, socket: Socket): Outlet {
  let is_corked = false
  const uncork = (): void => {
    is_corked = false
    socket.uncork()
  }
  return {
    kind: 'websocket',
    encode: (_key, messages, chunk) => chunk ?? joined(messages),
    encodeOther: frameOf,
    write(bytes) {
      if (socket.destroyed) return true
      // All writes of one turn leave in one packet.
      if (!is_corked) {
        is_corked = true
        socket.cork()
        process.nextTick(uncork)
      }
      return socket.write(bytes)
    },
    onDrain: (listener) => void socket.on('drain', listener),
    get pending_bytes() {
      return socket.writableLength
    },
    close: (code, reason) => websocket.close(code, reason),
    destroy: () => websocket.terminate(),
  }
}

function joined(messages: readonly Message[]): Buffer {
  return messages.length === 1
    ? messages[0]!.frame
    : Buffer.concat(messages.map(({ frame }) => frame))
}
