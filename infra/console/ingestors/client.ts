/**
 * Calls one ingestor's admin API, over its unix socket or the network. Limits time and size.
 */
import { request as httpRequest, type RequestOptions } from 'node:http'
import { request as httpsRequest } from 'node:https'

export interface IngestorAnswer {
  readonly status: number
  readonly etag: string | null
  readonly body: unknown
}

export interface IngestorRequest {
  readonly method?: 'GET' | 'POST' | 'PUT'
  readonly path: string
  readonly body?: unknown
  readonly headers?: Readonly<Record<string, string>>
  readonly limit_ms: number
}

const ANSWER_BYTES_MAX = 32 * 1024 * 1024

/** Rejects if it does not answer in time. `endpoint`: unix:PATH or a URL. */
export function askIngestor(
  endpoint: string,
  token: string | undefined,
  { method = 'GET', path, body, headers = {}, limit_ms }: IngestorRequest,
): Promise<IngestorAnswer> {
  const text = body === undefined ? undefined : JSON.stringify(body)
  const options: RequestOptions = {
    ...addressOf(endpoint),
    path,
    method,
    agent: false,
    signal: AbortSignal.timeout(limit_ms),
    headers: {
      ...headers,
      ...(text === undefined ? {} : { 'content-type': 'application/json' }),
      ...(token === undefined || endpoint.startsWith('unix:')
        ? {}
        : { authorization: `Bearer ${token}` }),
    },
  }
  const send = endpoint.startsWith('https:') ? httpsRequest : httpRequest
  return new Promise((resolve, reject) => {
    const fail = (error: Error): void => {
      const is_late = error.name === 'TimeoutError' || error.name === 'AbortError'
      reject(is_late ? new Error(`no answer within ${limit_ms / 1_000} s`) : error)
    }
    const asked = send(options, (response) => {
      const chunks: Buffer[] = []
      let bytes = 0
      response.on('data', (chunk: Buffer) => {
        bytes += chunk.length
        if (bytes > ANSWER_BYTES_MAX)
          asked.destroy(new Error(`its answer is over ${ANSWER_BYTES_MAX} bytes`))
        chunks.push(chunk)
      })
      response.on('error', fail)
      response.on('end', () => {
        try {
          resolve({
            status: response.statusCode ?? 0,
            etag: response.headers.etag ?? null,
            body: JSON.parse(Buffer.concat(chunks).toString('utf8')),
          })
        } catch {
          reject(new Error('its answer is no JSON'))
        }
      })
    })
    asked.on('error', fail)
    asked.end(text)
  })
}

function addressOf(endpoint: string): RequestOptions {
  if (endpoint.startsWith('unix:')) return { socketPath: endpoint.slice('unix:'.length) }
  const { hostname, port } = new URL(endpoint)
  return { hostname: hostname.replace(/^\[|\]$/g, ''), ...(port === '' ? {} : { port }) }
}
