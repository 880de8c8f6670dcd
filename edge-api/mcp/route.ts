/** POST /mcp : the Model Context Protocol over streamable HTTP, without sessions. */
import { WebStandardStreamableHTTPServerTransport } from '@modelcontextprotocol/sdk/server/webStandardStreamableHttp.js'
import { bodyLimit } from 'hono/body-limit'
import type { Context } from 'hono'
import type { App } from '../deps.ts'
import { found, Problem } from '../problem.ts'
import { createMcpServer } from './server.ts'

const BODY_BYTES_MAX = 64 << 10
/** What the caller showed us, for the routes that its tools ask. */
const PASSED_ON = ['authorization', 'cf-connecting-ip'] as const

export function mcpRoute(app: App): void {
  app.post('/mcp', bodyLimit({ maxSize: BODY_BYTES_MAX, onError: refuseLarge }), async (c) => {
    const server = createMcpServer(async (path) => app.request(path, { headers: passedOn(c) }))
    // Every request stands for itself: no session, and one JSON answer instead of a stream.
    const transport = new WebStandardStreamableHTTPServerTransport({ enableJsonResponse: true })
    try {
      await server.connect(transport)
      const answer = await transport.handleRequest(c.req.raw)
      return new Response(answer.body, answer)
    } finally {
      await server.close()
    }
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

function refuseLarge(): never {
  const detail = `A message has at most ${BODY_BYTES_MAX} bytes.`
  throw new Problem(413, 'message_too_large', 'The message is too large.', detail)
}
