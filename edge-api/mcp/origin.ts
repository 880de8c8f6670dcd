/**
 * Checks the Host and Origin of requests to /mcp, as the Model Context Protocol requires. A page of
 * another site can point its own name at this machine (DNS rebinding) and then post here as if it
 * were same-origin, but its Host and Origin still carry that name. CORS does not prevent this: it
 * only stops pages from reading the answers.
 */
import { found, Problem } from '../problem.ts'

const LOOPBACK = /^(?:localhost|127(?:\.\d{1,3}){3}|\[::1\])$/

/**
 * Throws a 403 if the Host or Origin is foreign. Over TLS, any Host that is routed to us is ours.
 * Over plain HTTP the Host must be loopback or a host in `origins`. "*" in `origins` lets every
 * page read the other routes, but has no effect here.
 */
export function requireOwnOrigin(
  url: string,
  headers: { readonly host: string | undefined; readonly origin: string | undefined },
  origins: readonly string[],
): void {
  const { protocol, host: own } = new URL(url)
  const host = headers.host ?? own
  const listed = origins.filter((origin) => URL.canParse(origin)).map((origin) => new URL(origin))
  const is_ours =
    protocol === 'https:' || isLoopback(host) || listed.some((origin) => origin.host === host)
  if (!is_ours) throw refused('Host', host)
  const { origin } = headers
  if (origin === undefined || origins.some((one) => one === origin && one !== '*')) return
  const origin_host = URL.canParse(origin) ? new URL(origin).host : ''
  if (origin_host === '' || (origin_host !== host && !isLoopback(origin_host))) {
    throw refused('Origin', origin)
  }
}

/** `host` as in the Host header, with or without a port. */
function isLoopback(host: string): boolean {
  return URL.canParse(`http://${host}`) && LOOPBACK.test(new URL(`http://${host}`).hostname)
}

function refused(name: string, value: string): Problem {
  const detail = `${name} ${found(value)} is not allowed. CORS_ORIGINS lists the allowed origins.`
  return new Problem(403, 'origin_refused', 'Requests from this origin are refused.', detail)
}
