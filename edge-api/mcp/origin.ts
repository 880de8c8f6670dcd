/**
 * Which requests to /mcp may come from where. A page of another site can point its own name at
 * this machine (DNS rebinding) and then post here as if it were one of ours: its Host or its
 * Origin gives it away. The Model Context Protocol asks for this check; CORS alone is none, since
 * it only keeps answers from pages.
 */
import { found, Problem } from '../problem.ts'

const LOOPBACK = /^(?:localhost|127(?:\.\d{1,3}){3}|\[::1\])$/

/**
 * Throws a 403. Over TLS the Host is one that is routed to us; over plain HTTP it has to be this
 * machine, or a host of `origins`. "*" among those opens reads to every page, and nothing here.
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

/** `host` as a header has it, with or without a port. */
function isLoopback(host: string): boolean {
  return URL.canParse(`http://${host}`) && LOOPBACK.test(new URL(`http://${host}`).hostname)
}

function refused(name: string, value: string): Problem {
  const detail = `${name} ${found(value)} may not post here; CORS_ORIGINS lists what may.`
  return new Problem(403, 'origin_refused', 'Messages from there are not taken.', detail)
}
