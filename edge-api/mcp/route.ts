/**
 * POST /mcp : the Model Context Protocol over streamable HTTP, without sessions. Each request has
 * limits: its bytes, its messages, and the total bytes of its answers.
 */
import { bodyLimit } from 'hono/body-limit'
import type { Context } from 'hono'
import type { App, Deps } from '../deps.ts'
import { found, Problem, problemResponse } from '../problem.ts'
import { requireOwnOrigin } from './origin.ts'
import { answerMessages, type AskApi } from './server.ts'

const BODY_BYTES_MAX = 64 << 10
/** Messages in a batch. (Newer revisions of the protocol have no batches.) */
const MESSAGES_MAX = 10
/** Total of all answers to one request; the last answer may exceed it by up to a page. */
const ANSWER_BYTES_MAX = 2 << 20
/** Memory for a request: the answers, the same text escaped inside JSON, and the body. */
const HELD_BYTES = 8 << 20
/** Request headers that are forwarded to the routes which the tools call. */
const PASSED_ON = ['authorization', 'cf-connecting-ip'] as const

export function mcpRoute(
  app: App,
  { cors_origins, batches }: Pick<Deps, 'cors_origins' | 'batches'>,
): void {
  app.post('/mcp', bodyLimit({ maxSize: BODY_BYTES_MAX, onError: refuseLarge }), async (c) => {
    const [host, origin] = [c.req.header('host'), c.req.header('origin')]
    requireOwnOrigin(c.req.url, { host, origin }, cors_origins)
    const messages = parseMessages(await c.req.text())
    const headers = passedOn(c)
    return batches.run(HELD_BYTES, () =>
      answerMessages(
        c.req.raw,
        messages,
        oneByOne(async (path) => app.request(path, { headers })),
      ),
    )
  })
  app.all('/mcp', (c) => {
    const detail =
      `${found(c.req.method)} is not allowed. Send messages with POST; ` +
      'streams are not supported.'
    const headers = { allow: 'POST, OPTIONS' }
    throw new Problem(405, 'method_not_allowed', 'Use POST here.', detail, { headers })
  })
}

function passedOn(c: Context): Record<string, string> {
  const headers: Record<string, string> = { accept: 'application/json' }
  for (const name of PASSED_ON) {
    const value = c.req.header(name)
    if (value !== undefined) headers[name] = value
  }
  return headers
}

function parseMessages(text: string): unknown {
  let messages: unknown
  try {
    messages = JSON.parse(text)
  } catch {
    throw new Problem(400, 'bad_message', 'The message is malformed.', 'The body is not JSON.')
  }
  if (Array.isArray(messages) && messages.length > MESSAGES_MAX) {
    const detail = `A batch may have ${MESSAGES_MAX} messages; this one has ${messages.length}.`
    throw new Problem(413, 'batch_too_large', 'The batch is too large.', detail)
  }
  return messages
}

/** Runs the calls of a batch one at a time, and refuses more once the answers reach the limit. */
function oneByOne(ask: AskApi): AskApi {
  let byte_count = 0
  let last: Promise<unknown> = Promise.resolve()
  return (path) => {
    const answer = last.then(async () => {
      if (byte_count >= ANSWER_BYTES_MAX) return tooMuch(path)
      const response = await ask(path)
      const text = await response.text()
      byte_count += text.length
      return new Response(text, response)
    })
    last = answer.catch(() => undefined)
    return answer
  }
}

function tooMuch(path: string): Response {
  const detail =
    `The answers to the previous calls reached ${ANSWER_BYTES_MAX >> 20} MiB. ` +
    'Repeat this call in a request of its own.'
  const problem = new Problem(413, 'batch_too_large', 'The answers are too large.', detail)
  return problemResponse(problem, `http://mcp.invalid${path}`)
}

function refuseLarge(): never {
  const detail = `A request may have at most ${BODY_BYTES_MAX} bytes.`
  throw new Problem(413, 'message_too_large', 'The request is too large.', detail)
}
