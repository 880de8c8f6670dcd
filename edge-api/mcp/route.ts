/**
 * POST /mcp : the Model Context Protocol over streamable HTTP, without sessions. A request is
 * bounded before it is answered: its bytes, its messages, and the bytes of all answers together.
 */
import { WebStandardStreamableHTTPServerTransport } from '@modelcontextprotocol/sdk/server/webStandardStreamableHttp.js'
import { bodyLimit } from 'hono/body-limit'
import type { Context } from 'hono'
import type { App, Deps } from '../deps.ts'
import { found, Problem, problemResponse } from '../problem.ts'
import { requireOwnOrigin } from './origin.ts'
import { createMcpServer, type AskApi } from './server.ts'

const BODY_BYTES_MAX = 64 << 10
/** Of one request; newer revisions of the protocol know no batches at all. */
const MESSAGES_MAX = 10
/** Of all answers in one request: the last one may go beyond it by a page. */
const ANSWER_BYTES_MAX = 2 << 20
/** Texts of answers, once more as texts within JSON, and the body. */
const HELD_BYTES = 8 << 20
/** What the caller showed us, for the routes that its tools ask. */
const PASSED_ON = ['authorization', 'cf-connecting-ip'] as const

export function mcpRoute(
  app: App,
  { cors_origins, batches }: Pick<Deps, 'cors_origins' | 'batches'>,
): void {
  app.post('/mcp', bodyLimit({ maxSize: BODY_BYTES_MAX, onError: refuseLarge }), async (c) => {
    const [host, origin] = [c.req.header('host'), c.req.header('origin')]
    requireOwnOrigin(c.req.url, { host, origin }, cors_origins)
    const parsedBody = parseMessages(await c.req.text())
    const headers = passedOn(c)
    return batches.run(HELD_BYTES, async () => {
      const server = createMcpServer(oneByOne(async (path) => app.request(path, { headers })))
      // Every request stands for itself: no session, and one JSON answer instead of a stream.
      const transport = new WebStandardStreamableHTTPServerTransport({ enableJsonResponse: true })
      try {
        await server.connect(transport)
        const answer = await transport.handleRequest(c.req.raw, { parsedBody })
        return new Response(answer.body, answer)
      } finally {
        await server.close()
      }
    })
  })
  app.all('/mcp', (c) => {
    const detail = `${found(c.req.method)} is not allowed: messages are posted, and there is no stream.`
    const headers = { allow: 'POST, OPTIONS' }
    throw new Problem(405, 'method_not_allowed', 'Messages are posted here.', detail, { headers })
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
    throw new Problem(400, 'bad_message', 'This is no message.', 'The body is not JSON.')
  }
  if (Array.isArray(messages) && messages.length > MESSAGES_MAX) {
    const detail = `A batch has at most ${MESSAGES_MAX} messages, and this one ${messages.length}.`
    throw new Problem(413, 'batch_too_large', 'The batch is too large.', detail)
  }
  return messages
}

/** Calls of a batch wait for each other, so that one answer at a time is made; none too many. */
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
  const detail = `The calls before it took ${ANSWER_BYTES_MAX >> 20} MiB. Ask again for this one alone.`
  const problem = new Problem(413, 'batch_too_large', 'The batch asks for too much.', detail)
  return problemResponse(problem, `http://mcp.invalid${path}`)
}

function refuseLarge(): never {
  const detail = `A message has at most ${BODY_BYTES_MAX} bytes.`
  throw new Problem(413, 'message_too_large', 'The message is too large.', detail)
}
