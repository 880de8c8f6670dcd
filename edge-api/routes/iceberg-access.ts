/**
 * Access for clients of the Iceberg catalogue. A client without credentials of the store has each
 * read signed by POST .../tables/{table}/sign (remote signing). Credentials that expire need a
 * token service, which many S3 stores lack. Clients that insist on OAuth2 get their token from
 * POST /iceberg/v1/oauth/tokens.
 */
import type { Context } from 'hono'
import { bodyLimit } from 'hono/body-limit'
import { authorize, callerOf } from '../access/guard.ts'
import type { App, Deps } from '../deps.ts'
import { found, Problem } from '../problem.ts'
import type { ReadRequest } from '../store/lake-tables.ts'

/** Of a table, and of any table for clients of before Iceberg 1.11. */
const SIGN_TABLE = '/iceberg/v1/namespaces/:namespace/tables/:table/sign'
const SIGN_ANY = '/iceberg/v1/aws/s3/sign'
const TOKENS = '/iceberg/v1/oauth/tokens'
const BODY_BYTES_MAX = 32 << 10

export function icebergAccessRoutes(
  app: App,
  { lake, access }: Pick<Deps, 'lake' | 'access'>,
): void {
  const limit = bodyLimit({ maxSize: BODY_BYTES_MAX, onError: refuseLarge })
  const sign = async (c: Context, table?: ReadRequest['table']): Promise<Response> => {
    const request = readRequest(await c.req.json<unknown>().catch(() => undefined))
    const signed = await lake.signRead({ ...request, ...(table && { table }) })
    if (signed === undefined) throw notSigned(request.method)
    // Clients reuse a signature that is private, for 30 s. It covers any range of the object.
    c.header('cache-control', 'private')
    const lists = Object.entries(signed.headers).map(([name, value]) => [name, [value]])
    return c.json({ uri: signed.url, headers: Object.fromEntries(lists) })
  }
  app.post(SIGN_ANY, limit, (c) => sign(c))
  app.post(SIGN_TABLE, limit, (c) => {
    const { namespace, table: name } = c.req.param()
    return sign(c, { namespace, name })
  })
  app.post(TOKENS, limit, async (c) => {
    const form = new URLSearchParams(await c.req.text())
    c.header('cache-control', 'no-store')
    const token = tokenIn(form)
    if (token === undefined) return c.json({ error: 'unsupported_grant_type' }, 400)
    try {
      await authorize(access, { ...callerOf(c), authorization: `Bearer ${token}` }, 'datasets')
    } catch (error) {
      if (!(error instanceof Problem) || ![401, 403].includes(error.status)) throw error
      return c.json({ error: 'invalid_client', error_description: error.message }, 401)
    }
    // Without a lifetime, clients keep it.
    const issued_token_type = 'urn:ietf:params:oauth:token-type:access_token'
    return c.json({ access_token: token, token_type: 'bearer', issued_token_type })
  })
  for (const path of [SIGN_ANY, SIGN_TABLE, TOKENS]) {
    app.all(path, (c) => {
      const detail = `${found(c.req.method)} is not allowed.`
      const headers = { allow: 'POST, OPTIONS' }
      throw new Problem(405, 'method_not_allowed', 'Use POST here.', detail, { headers })
    })
  }
}

/** Of { method, uri, headers }, with lists of values. */
function readRequest(body: unknown): ReadRequest {
  const { method, uri, headers } = Object(body) as Readonly<Record<string, unknown>>
  if (typeof method !== 'string' || typeof uri !== 'string') {
    throw new Problem(
      400,
      'bad_message',
      'The request is malformed.',
      'The body must be JSON with the strings "method" and "uri", and lists in "headers".',
    )
  }
  return { method, url: uri, headers: headersOf(headers) }
}

function headersOf(value: unknown): Headers {
  const headers = new Headers()
  for (const [name, values] of Object.entries(Object(value) as object)) {
    try {
      headers.set(name, [values].flat().join(','))
    } catch {
      // Not the name or value of a header, so the client cannot send it either.
    }
  }
  return headers
}

function notSigned(method: string): Problem {
  const detail =
    `${found(method)} of this URL is not signed. Only GET and HEAD of files of the lake's tables ` +
    'are, without a query.'
  return new Problem(403, 'not_signed', 'The request is not signed.', detail)
}

/** A token of this API is both the client's secret and the access token. */
function tokenIn(form: URLSearchParams): string | undefined {
  switch (form.get('grant_type')) {
    case 'client_credentials':
      return form.get('client_secret') ?? ''
    case 'urn:ietf:params:oauth:grant-type:token-exchange':
      return form.get('subject_token') ?? ''
    default:
      return undefined
  }
}

function refuseLarge(): never {
  const detail = `A request may have at most ${BODY_BYTES_MAX} bytes.`
  throw new Problem(413, 'message_too_large', 'The request is too large.', detail)
}
