/**
 * GET /v1/live, over WebSocket or as server-sent events, and /v1/live/poll: passed on to the live
 * server. Its answers are passed back as they are, without the headers of other routes.
 */
import type { Context } from 'hono'
import { authorize, callerOf } from '../access/guard.ts'
import type { App, Deps } from '../deps.ts'
import { found, Problem } from '../problem.ts'
import { SOURCE } from '../telemetry/request-facts.ts'

/** Browsers cannot set a header for a WebSocket: the token is a subprotocol, `token.TOKEN`. */
const TOKEN_PROTOCOL = /(?:^|[ ,])token\.([\w.-]+)/

export function liveRoutes(app: App, deps: Deps): void {
  const handle = async (c: Context): Promise<Response> => {
    const { access, live, cors_origins } = deps
    const origin = c.req.header('origin')
    requireOrigin(c.req.url, origin, cors_origins)
    const caller = callerOf(c)
    const offered = TOKEN_PROTOCOL.exec(c.req.header('sec-websocket-protocol') ?? '')?.[1]
    const authorization = caller.authorization ?? (offered && `Bearer ${offered}`)
    const token = await authorize(access, { ...caller, authorization }, 'live')
    if (live === undefined) {
      const detail = 'This installation runs no live server (LIVE_URL).'
      throw new Problem(404, 'no_live_server', 'There is no live stream.', detail)
    }
    const { pathname, search } = new URL(c.req.url)
    c.set(SOURCE, 'live')
    const answer = await live.pass(c.req.raw, `${pathname}${search}`, token?.id)
    if (origin === undefined || answer.status === 101) return answer
    const headers = new Headers(answer.headers)
    headers.set('access-control-allow-origin', cors_origins.includes('*') ? '*' : origin)
    headers.append('vary', 'origin')
    return new Response(answer.body, { status: answer.status, headers })
  }
  app.get('/v1/live', handle)
  app.get('/v1/live/poll', handle)
}

/** A browser lets pages of every origin open a WebSocket, so the origin is checked here. */
function requireOrigin(url: string, origin: string | undefined, origins: readonly string[]): void {
  if (origin === undefined || origins.includes('*') || origins.includes(origin)) return
  if (URL.canParse(origin) && new URL(origin).host === new URL(url).host) return
  const detail = `Origin ${found(origin)} is not allowed. CORS_ORIGINS lists the allowed origins.`
  throw new Problem(403, 'origin_refused', 'Requests from this origin are refused.', detail)
}
