/**
 * Where an admin API is reached: a unix socket that only its user may open, and TCP where asked
 * for.
 */
import { chmodSync, lstatSync, unlinkSync } from 'node:fs'
import { connect } from 'node:net'
import type { Server } from 'node:http'
import { createAdaptorServer } from '@hono/node-server'
import { OperatorError } from '#core/errors.ts'
import type { DoorApp, DoorEnv } from './app.ts'
import type { Way } from './guard.ts'

export interface OpenDoor {
  /** `unix:PATH` or `http://HOST:PORT`. */
  readonly endpoint: string
  /** Ends every connection. */
  close(): Promise<void>
}

/** sun_path of Linux holds 108 bytes with the final zero, that of other systems 104. */
const PATH_BYTES_MAX = 103
const CONNECTIONS_MAX = 64
const HEADERS_MS = 5_000
const REQUEST_MS = 15_000
const OWNER_ONLY = 0o600

/** Errors: OperatorError control_socket_unusable. */
export async function openUnixDoor(app: DoorApp, path: string): Promise<OpenDoor> {
  const unusable = (detail: string, cause?: unknown): OperatorError =>
    new OperatorError('control_socket_unusable', `Cannot listen on ${path}: ${detail}.`, {
      hint: 'Name another path in CONTROL_SOCKET, or set it to off.',
      cause,
    })
  const bytes = Buffer.byteLength(path)
  if (bytes > PATH_BYTES_MAX) {
    throw unusable(`a socket's path may have ${PATH_BYTES_MAX} bytes, this one has ${bytes}`)
  }
  await removeStale(path).catch((error: Error) => {
    throw unusable(error.message, error)
  })
  const server = createServer(app, 'unix')
  // The file is made inside listen(); nobody else may open it for even a moment.
  const umask = process.umask(0o777 & ~OWNER_ONLY)
  try {
    server.listen(path)
  } finally {
    process.umask(umask)
  }
  await listening(server).catch((error: Error) => {
    throw unusable(error.message, error)
  })
  chmodSync(path, OWNER_ONLY)
  return { endpoint: `unix:${path}`, close: () => close(server) }
}

/** Errors: OperatorError control_port_taken. */
export async function openTcpDoor(app: DoorApp, host: string, port: number): Promise<OpenDoor> {
  const server = createServer(app, 'tcp')
  server.listen(port, host)
  await listening(server).catch((cause: Error) => {
    throw new OperatorError(
      'control_port_taken',
      `Cannot listen on ${host}:${port}: ${cause.message}.`,
      {
        hint: 'Choose another CONTROL_PORT, or leave it out.',
        cause,
      },
    )
  })
  const address = server.address()
  const taken = typeof address === 'object' && address !== null ? address.port : port
  const name = host.includes(':') ? `[${host}]` : host
  return { endpoint: `http://${name}:${taken}`, close: () => close(server) }
}

function createServer(app: DoorApp, way: Way): Server {
  const server = createAdaptorServer({
    fetch: (request, env) => app.fetch(request, { ...(env as DoorEnv['Bindings']), way }),
    overrideGlobalObjects: false,
    serverOptions: { headersTimeout: HEADERS_MS, requestTimeout: REQUEST_MS },
  }) as Server
  server.maxConnections = CONNECTIONS_MAX
  return server
}

/** Removes the socket file of a killed process, but not one on which a process still answers. */
async function removeStale(path: string): Promise<void> {
  const file = lstatSync(path, { throwIfNoEntry: false })
  if (file === undefined) return
  if (!file.isSocket()) throw new Error('the path is taken by a file that is no socket')
  if (await answers(path)) throw new Error('another program listens there')
  unlinkSync(path)
}

function answers(path: string): Promise<boolean> {
  return new Promise((resolve) => {
    const socket = connect(path)
    const end = (is_answered: boolean) => () => {
      socket.destroy()
      resolve(is_answered)
    }
    socket.once('connect', end(true)).once('error', end(false))
  })
}

function listening(server: Server): Promise<void> {
  return new Promise((resolve, reject) => {
    server.once('error', reject).once('listening', resolve)
  })
}

function close(server: Server): Promise<void> {
  return new Promise((resolve) => {
    server.close(() => resolve())
    server.closeAllConnections()
  })
}
