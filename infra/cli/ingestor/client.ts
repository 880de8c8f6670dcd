/**
 * Calls the admin API of an ingestor, over its unix socket or over HTTP with a token, or that of
 * the console.
 */
import { existsSync } from 'node:fs'
import { type IncomingMessage, request as httpRequest } from 'node:http'
import { request as httpsRequest } from 'node:https'
import { join } from 'node:path'
import { randomUUID } from 'node:crypto'
import { OperatorError } from '#core/errors.ts'
import { SOCKET_NAME } from '../../../ingestor/control-config.ts'

export interface ServerFlags {
  /** URL, or path of a socket. */
  readonly server?: string
  readonly token?: string
  readonly dataDir: string
}

export interface AdminApi {
  get(path: string): Promise<unknown>
  /**
   * A retry of a call that was cut off changes nothing twice. `if_match`: the ETag that the state
   * must have.
   */
  change(
    method: 'POST' | 'PUT' | 'DELETE',
    path: string,
    body: unknown,
    if_match?: string,
  ): Promise<unknown>
  /** A streamed answer, line by line, until `signal` is aborted. */
  lines(path: string, signal: AbortSignal): Promise<AsyncIterable<string>>
}

const LIMIT_MS = 30_000
const ANSWER_BYTES_MAX = 64 * 1024 * 1024
const ATTEMPTS = 2

/**
 * Errors of the calls: OperatorError ingestor_unreachable and ingestor_cut_off (retryable),
 * ingestor_wrong_use (400), ingestor_refused.
 */
export function openAdminApi(flags: ServerFlags): AdminApi {
  const named = flags.server ?? process.env['BOOKTAPE_SERVER'] ?? socketOf(flags.dataDir)
  return openApi('ingestor', named, flags.token)
}

/** Errors of the calls: as above, with console_ in place of ingestor_. */
export function openConsoleApi(url: string, token: string | undefined): AdminApi {
  return openApi('console', `${url.replace(/\/+$/, '')}/api`, token)
}

function openApi(program: Target['program'], named: string, token: string | undefined): AdminApi {
  // The form of marketdata.ingestors.endpoint.
  const server = named.replace(/^unix:/, '')
  const target: Target = { program, server, token: token ?? process.env['BOOKTAPE_TOKEN'] }
  const call = (
    method: string,
    path: string,
    body?: unknown,
    match: Readonly<Record<string, string>> = {},
  ): Promise<unknown> => {
    const key = { 'idempotency-key': randomUUID() }
    const headers = { ...(body === undefined ? {} : key), ...match }
    return insist(() => ask(target, { method, path, body, headers }))
  }
  return {
    get: (path) => call('GET', path),
    change: (method, path, body, if_match) =>
      call(method, path, body, if_match === undefined ? {} : { 'if-match': if_match }),
    lines: (path, signal) => openLines(target, path, signal),
  }
}

/** The ingestor of a stack on this machine. */
function socketOf(data_dir: string): string {
  return join(data_dir, 'tape', SOCKET_NAME)
}

async function insist(attempt: () => Promise<unknown>): Promise<unknown> {
  for (let count = 1; ; count++) {
    try {
      return await attempt()
    } catch (error) {
      const is_cut_off = error instanceof OperatorError && error.code.endsWith('_cut_off')
      if (!is_cut_off || count === ATTEMPTS) throw error
    }
  }
}

interface Call {
  readonly method: string
  readonly path: string
  readonly body?: unknown
  readonly headers?: Readonly<Record<string, string>>
  /** Aborts the call. */
  readonly signal: AbortSignal
}

interface Target {
  readonly program: 'ingestor' | 'console'
  readonly server: string
  readonly token: string | undefined
}

async function ask(target: Target, call: Omit<Call, 'signal'>): Promise<unknown> {
  const response = await open(target, { ...call, signal: AbortSignal.timeout(LIMIT_MS) })
  return readAnswer(target, response.statusCode ?? 0, await readText(target, response))
}

/** Yields each line once its line feed has arrived. */
async function openLines(
  target: Target,
  path: string,
  signal: AbortSignal,
): Promise<AsyncIterable<string>> {
  const response = await open(target, { method: 'GET', path, signal })
  const status = response.statusCode ?? 0
  if (status !== 200) readAnswer(target, status, await readText(target, response))
  return linesOf(response)
}

/** Resolves with the answer's head. */
function open(target: Target, call: Call): Promise<IncomingMessage> {
  const { server, token } = target
  const { method, path, body, headers, signal } = call
  const is_url = /^https?:\/\//.test(server)
  if (!is_url && !existsSync(server)) {
    return Promise.reject(unreachable(target, 'there is no such socket'))
  }
  const url = is_url
    ? new URL(server.replace(/\/+$/, '') + path)
    : new URL(path, 'http://localhost')
  const send = url.protocol === 'https:' ? httpsRequest : httpRequest
  const text = body === undefined ? undefined : JSON.stringify(body)
  // Node sends no Content-Length for a DELETE, so its body would be read as the next request.
  const about: Record<string, string | number> =
    text === undefined
      ? {}
      : { 'content-type': 'application/json', 'content-length': Buffer.byteLength(text) }
  const options = {
    method,
    signal,
    ...(is_url ? {} : { socketPath: server }),
    headers: {
      ...headers,
      ...about,
      ...(token === undefined ? {} : { authorization: `Bearer ${token}` }),
    },
  }
  return new Promise((resolve, reject) => {
    send(url, options)
      .once('response', resolve)
      .on('error', (error) => reject(brokenBy(target, error)))
      .end(text)
  })
}

async function readText(target: Target, response: IncomingMessage): Promise<string> {
  const chunks: Buffer[] = []
  let bytes = 0
  try {
    for await (const chunk of response as AsyncIterable<Buffer>) {
      bytes += chunk.length
      if (bytes > ANSWER_BYTES_MAX) throw new Error('the answer is too large')
      chunks.push(chunk)
    }
  } catch (error) {
    throw brokenBy(target, error as Error)
  }
  return Buffer.concat(chunks).toString('utf8')
}

async function* linesOf(response: IncomingMessage): AsyncGenerator<string> {
  let rest = ''
  response.setEncoding('utf8')
  for await (const chunk of response as AsyncIterable<string>) {
    const lines = (rest + chunk).split('\n')
    rest = lines.pop()!
    if (rest.length > ANSWER_BYTES_MAX) throw new Error('a line is too long')
    yield* lines
  }
}

function readAnswer({ program }: Target, status: number, text: string): unknown {
  const body = parse(text) as { readonly title?: string; readonly detail?: string } | undefined
  if (status >= 200 && status < 300 && body !== undefined) return body
  const words =
    body?.title === undefined ? text.slice(0, 200) : `${body.title} ${body.detail ?? ''}`
  const code = status === 400 ? `${program}_wrong_use` : `${program}_refused`
  throw new OperatorError(code, `The ${program} answers ${status}: ${words.trim()}`)
}

function parse(text: string): unknown {
  try {
    return JSON.parse(text)
  } catch {
    return undefined
  }
}

function unreachable({ program, server }: Target, detail: string): OperatorError {
  const places = { ingestor: 'a URL or the path of a control.sock', console: 'its URL' }
  const message = `No ${program} answers at ${server}: ${detail}.`
  return new OperatorError(`${program}_unreachable`, message, {
    hint: `Name another with --server (${places[program]}), or start it.`,
    retryable: true,
  })
}

function brokenBy(target: Target, error: NodeJS.ErrnoException): OperatorError {
  if (error.name === 'AbortError')
    return unreachable(target, `no answer within ${LIMIT_MS / 1_000} s`)
  if (error.code !== 'ECONNRESET') return unreachable(target, error.message)
  const message = `The connection to ${target.server} was cut off: ${error.message}.`
  return new OperatorError(`${target.program}_cut_off`, message, { retryable: true })
}
