/** Reads the statement from the body of POST /sql, and checks its form. */
import type { IncomingMessage } from 'node:http'
import { OperatorError } from '#core/errors.ts'
import type { Statement } from './connection.ts'

/** Postgres allows 65,535 parameters; the longest query of the worker has ten. */
const PARAMETER_COUNT_MAX = 100

/** Throws `bad_request` or `request_too_large`. */
export async function readStatement(
  request: IncomingMessage,
  bytes_max: number,
): Promise<Statement> {
  const text = await readText(request, bytes_max)
  let value: unknown
  try {
    value = JSON.parse(text)
  } catch {
    throw new OperatorError('bad_request', 'The body is not JSON.')
  }
  if (isStatement(value)) return { query: value.query, params: value.params ?? [] }
  throw new OperatorError('bad_request', 'The body is not one {query, params} object.', {
    hint:
      `Batches are not supported. params has at most ${PARAMETER_COUNT_MAX} ` +
      'strings, numbers, booleans or nulls.',
  })
}

/** Events rather than an iterator, which costs more than the rest of a small request. */
function readText(request: IncomingMessage, bytes_max: number): Promise<string> {
  return new Promise((resolve, reject) => {
    const chunks: Buffer[] = []
    let byte_count = 0
    request.on('data', (chunk: Buffer) => {
      byte_count += chunk.byteLength
      if (byte_count <= bytes_max) return void chunks.push(chunk)
      const message = `The request has more than ${bytes_max} bytes.`
      reject(new OperatorError('request_too_large', message))
      // Destroying the request would also destroy the connection, and with it the answer.
      request.pause()
    })
    request.once('end', () => resolve(Buffer.concat(chunks).toString('utf8')))
    request.on('error', reject)
  })
}

function isStatement(
  value: unknown,
): value is { readonly query: string; readonly params?: Statement['params'] } {
  if (typeof value !== 'object' || value === null || Array.isArray(value)) return false
  const { query, params = [] } = value as Readonly<Record<string, unknown>>
  if (typeof query !== 'string' || !Array.isArray(params)) return false
  return params.length <= PARAMETER_COUNT_MAX && params.every(isParameter)
}

function isParameter(value: unknown): boolean {
  return value === null || ['string', 'number', 'boolean'].includes(typeof value)
}
