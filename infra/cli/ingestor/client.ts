/** Calls the admin API of an ingestor: over its unix socket, or over HTTP with a token. */
import { existsSync } from 'node:fs'
import { request as httpRequest } from 'node:http'
import { request as httpsRequest } from 'node:https'
import { join } from 'node:path'
import { randomUUID } from 'node:crypto'
import { OperatorError } from '#core/errors.ts'
import { SOCKET_NAME } from '../../../ingestor/config.ts'

export interface ServerFlags {
  /** URL, or path of a socket. */
  readonly server?: string
  readonly token?: string
  readonly dataDir: string
}

export interface AdminApi {
  get(path: string): Promise<unknown>
  /** A retry of a call that was cut off changes nothing twice. */
  change(method: 'POST' | 'PUT' | 'DELETE', path: string, body: unknown): Promise<unknown>
}

const LIMIT_MS = 30_000
const ANSWER_BYTES_MAX = 64 * 1024 * 1024
const ATTEMPTS = 2

/** Errors of the calls: OperatorError ingestor_unreachable (retryable), ingestor_refused. */
export function openAdminApi(flags: ServerFlags): AdminApi {
  const named = flags.server ?? process.env['BOOKTAPE_SERVER'] ?? socketOf(flags.dataDir)
  // As marketdata.ingestors has it.
  const server = named.replace(/^unix:/, '')
  const token = flags.token ?? process.env['BOOKTAPE_TOKEN']
  const call = (method: string, path: string, body?: unknown): Promise<unknown> => {
    const key = { 'idempotency-key': randomUUID() }
    return insist(() => ask(server, token, method, path, body, body === undefined ? {} : key))
  }
  return {
    get: (path) => call('GET', path),
    change: (method, path, body) => call(method, path, body),
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
      const is_cut_off = error instanceof OperatorError && error.code === 'ingestor_cut_off'
      if (!is_cut_off || count === ATTEMPTS) throw error
    }
  }
}

function ask(
  server: string,
  token: string | undefined,
  method: string,
  path: string,
  body: unknown,
  headers: Readonly<Record<string, string>>,
): Promise<unknown> {
  const is_url = /^https?:\/\//.test(server)
  if (!is_url && !existsSync(server)) throw unreachable(server, 'there is no such socket')
  const url = new URL(path, is_url ? server : 'http://localhost')
  const send = url.protocol === 'https:' ? httpsRequest : httpRequest
  return new Promise((resolve, reject) => {
    const request = send(
      url,
      {
        method,
        ...(is_url ? {} : { socketPath: server }),
        timeout: LIMIT_MS,
        headers: {
          ...headers,
          ...(body === undefined ? {} : { 'content-type': 'application/json' }),
          ...(token === undefined ? {} : { authorization: `Bearer ${token}` }),
        },
      },
      (response) => {
        const chunks: Buffer[] = []
        let bytes = 0
        response.on('data', (chunk: Buffer) => {
          bytes += chunk.length
          if (bytes > ANSWER_BYTES_MAX) return request.destroy(new Error('the answer is too large'))
          chunks.push(chunk)
        })
        response.on('error', (error) => reject(cutOff(server, error)))
        response.on('end', () => {
          try {
            resolve(readAnswer(response.statusCode ?? 0, Buffer.concat(chunks).toString('utf8')))
          } catch (error) {
            reject(error as Error)
          }
        })
      },
    )
    request.on('timeout', () => request.destroy(new Error(`no answer within ${LIMIT_MS / 1_000} s`)))
    request.on('error', (error: NodeJS.ErrnoException) => {
      reject(error.code === 'ECONNRESET' ? cutOff(server, error) : unreachable(server, error.message))
    })
    request.end(body === undefined ? undefined : JSON.stringify(body))
  })
}

function readAnswer(status: number, text: string): unknown {
  const body = parse(text) as { readonly title?: string; readonly detail?: string } | undefined
  if (status >= 200 && status < 300 && body !== undefined) return body
  const words = body?.title === undefined ? text.slice(0, 200) : `${body.title} ${body.detail ?? ''}`
  throw new OperatorError('ingestor_refused', `The ingestor answers ${status}: ${words.trim()}`)
}

function parse(text: string): unknown {
  try {
    return JSON.parse(text)
  } catch {
    return undefined
  }
}

function unreachable(server: string, detail: string): OperatorError {
  return new OperatorError('ingestor_unreachable', `No ingestor answers at ${server}: ${detail}.`, {
    hint: 'Name another with --server (a URL or the path of a control.sock), or start it.',
    retryable: true,
  })
}

function cutOff(server: string, error: Error): OperatorError {
  const message = `The connection to ${server} was cut off: ${error.message}.`
  return new OperatorError('ingestor_cut_off', message, { retryable: true })
}
