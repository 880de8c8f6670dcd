/**
 * The HTTP server of the live stream: GET /v1/live over WebSocket or as server-sent events, GET
 * /v1/live/poll, and GET /health.
 */
import { createServer, type IncomingMessage, type Server, type ServerResponse } from 'node:http'
import type { AddressInfo } from 'node:net'
import type { Duplex } from 'node:stream'
import { describeError } from '#core/errors.ts'
import type { Logger } from '#core/node/log.ts'
import { Problem, problemResponse } from '#core/problem.ts'
import type { Admit } from './access.ts'
import type { LiveCounts } from './counts.ts'
import { Fault, type FaultCode } from './fault.ts'
import type { Found, Hub } from './hub.ts'
import { POLL_PARAMETERS, servePoll } from './poll.ts'
import { barsOf, channelOf, requireKnown, symbolOf } from './protocol.ts'
import { serveEvents, SSE_PARAMETERS } from './sse.ts'
import { createWebSocketDoor } from './websocket.ts'

export interface LiveDoor {
  readonly url: string
  close(): Promise<void>
}

export interface LiveDoorOptions {
  readonly host: string
  readonly port: number
  readonly hub: Hub
  readonly admit: Admit
  readonly counts: LiveCounts
  readonly log: Logger
  health(): { readonly is_ok: boolean; readonly facts: object }
}

const OPTIONS = {
  headersTimeout: 5_000,
  requestTimeout: 10_000,
  keepAliveTimeout: 60_000,
  // What was written to a slow socket waits as it is: each small frame keeps the larger buffer that
  // it is a part of. So little of it may wait there, and the rest in the session's queue.
  highWaterMark: 16 * 1024,
}
const PATH = '/v1/live'

export async function openLiveDoor(options: LiveDoorOptions): Promise<LiveDoor> {
  const { hub, log } = options
  const websockets = createWebSocketDoor(hub)
  const server = createServer(OPTIONS, (request, response) => {
    answer(options, request, response).catch((error: unknown) => {
      sendProblem(response, asProblem(error, options, log), request)
    })
  })
  server.on('upgrade', (request: IncomingMessage, socket: Duplex, head: Buffer) => {
    socket.on('error', () => undefined)
    upgrade(options, request)
      .then((token_id) => websockets.accept(request, socket, head, token_id))
      .catch((error: unknown) => void refuse(socket, asProblem(error, options, log), request))
  })
  await listening(server, options)
  const { port } = server.address() as AddressInfo
  return {
    url: `http://${options.host}:${port}`,
    async close() {
      const closed = new Promise((resolve) => server.close(resolve))
      websockets.close()
      server.closeAllConnections()
      await closed
    },
  }
}

async function upgrade(
  { hub, admit }: LiveDoorOptions,
  request: IncomingMessage,
): Promise<string | undefined> {
  const { pathname, searchParams } = urlOf(request)
  if (pathname !== PATH) throw noSuchPath(request)
  if (SSE_PARAMETERS.some((name) => searchParams.has(name))) {
    const example = '{"op":"subscribe","channel":"trades","symbol":"BTCUSDT"}'
    const detail = `A WebSocket's query names no streams: remove it, and send ${example}.`
    throw new Fault('bad_message', detail)
  }
  const token_id = await admit(request)
  hub.requireRoom(token_id)
  return token_id
}

async function answer(
  options: LiveDoorOptions,
  request: IncomingMessage,
  response: ServerResponse,
): Promise<void> {
  const { hub, admit, health } = options
  const { pathname, searchParams } = urlOf(request)
  if (request.method !== 'GET') {
    const headers = { allow: 'GET' }
    throw new Problem(405, 'method_not_allowed', 'The method is not allowed.', 'Use GET.', {
      headers,
    })
  }
  if (pathname === '/health') {
    const { is_ok, facts } = health()
    response.writeHead(is_ok ? 200 : 503, { 'content-type': 'application/json' })
    response.end(JSON.stringify({ status: is_ok ? 'ok' : 'behind', ...facts }))
    return
  }
  if (pathname !== PATH && pathname !== `${PATH}/poll`) throw noSuchPath(request)
  allowPage(request, response)
  const token_id = await admit(request)
  hub.requireRoom(token_id)
  requireKnown([...searchParams.keys()], pathname === PATH ? SSE_PARAMETERS : POLL_PARAMETERS)
  const found = streamsOf(hub, searchParams)
  if (pathname === PATH) serveEvents(hub, request, response, searchParams, found, token_id)
  else servePoll(hub, response, searchParams, found, token_id)
}

/** `channel` and `symbol` may be repeated, or be comma lists. */
function streamsOf(hub: Hub, query: URLSearchParams): readonly Found[] {
  const listOf = (name: string): readonly string[] => [
    ...new Set(query.getAll(name).flatMap((text) => text.split(',').filter(Boolean))),
  ]
  const channels = listOf('channel').map(channelOf)
  const symbols = listOf('symbol').map(symbolOf)
  if (channels.length === 0 || symbols.length === 0) {
    throw new Fault('bad_message', 'Name channels and symbols: ?channel=trades&symbol=BTCUSDT.')
  }
  const bars = barsOf(Object.fromEntries(query))
  return hub.find({ channels, symbols, exchange: query.get('exchange') ?? undefined, bars })
}

/**
 * Allowing every origin is safe: the origin is checked separately, and unlisted ones get no answer.
 */
function allowPage({ headers }: IncomingMessage, response: ServerResponse): void {
  if (headers.origin === undefined) return
  response.setHeader('access-control-allow-origin', headers.origin)
  response.setHeader('vary', 'origin')
}

const STATUSES: { readonly [code in FaultCode]?: number } = {
  unknown_symbol: 404,
  future_cursor: 409,
  outdated_cursor: 410,
  too_many_clients: 429,
  history_unavailable: 503,
  draining: 503,
}

function asProblem(error: unknown, { counts }: LiveDoorOptions, log: Logger): Problem {
  if (error instanceof Problem) return error
  if (error instanceof Fault) {
    counts.faults[error.code] = (counts.faults[error.code] ?? 0) + 1
    const title = 'The live stream refuses this.'
    return new Problem(STATUSES[error.code] ?? 400, error.code, title, error.message)
  }
  log.error({ code: 'live_failed', error: describeError(error) }, 'A request failed.')
  return new Problem(500, 'internal_error', 'This is a fault of the program.', 'It was logged.')
}

function sendProblem(response: ServerResponse, problem: Problem, request: IncomingMessage): void {
  if (response.headersSent) return void response.destroy()
  const answered = problemResponse(problem, urlOf(request).href)
  void answered.text().then((body) => {
    response.writeHead(problem.status, Object.fromEntries(answered.headers))
    response.end(body)
  })
}

async function refuse(socket: Duplex, problem: Problem, request: IncomingMessage): Promise<void> {
  const answered = problemResponse(problem, urlOf(request).href)
  const body = await answered.text()
  const headers = [...answered.headers].map(([name, value]) => `${name}: ${value}\r\n`).join('')
  socket.end(
    `HTTP/1.1 ${problem.status} Refused\r\n${headers}connection: close\r\n` +
      `content-length: ${Buffer.byteLength(body)}\r\n\r\n${body}`,
  )
}

function noSuchPath(request: IncomingMessage): Problem {
  const detail = `The live server has ${PATH}, ${PATH}/poll and /health.`
  return new Problem(
    404,
    'unknown_path',
    `${urlOf(request).pathname.slice(0, 100)} is unknown.`,
    detail,
  )
}

function urlOf({ url = '/' }: IncomingMessage): URL {
  return URL.parse(url, 'http://live') ?? new URL('http://live/')
}

function listening(server: Server, { port, host }: LiveDoorOptions): Promise<void> {
  return new Promise((resolve, reject) => {
    server.once('error', reject)
    server.listen({ port, host, backlog: 1_024 }, resolve)
  })
}
