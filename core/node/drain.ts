/** Stops an HTTP server without breaking a connection that a caller is about to use. */
import type { Server } from 'node:http'
import { Server as NetServer } from 'node:net'
import { setTimeout as sleep } from 'node:timers/promises'

/**
 * Refuses new connections. For `grace_ms`, requests on open connections are still answered, each
 * with `connection: close`: a proxy or a worker may just be sending one, and cannot repeat a POST
 * whose connection was reset. Resolves when every connection has ended.
 */
export async function drain(server: Server, grace_ms: number): Promise<void> {
  server.prependListener('request', (_request, response) => {
    response.setHeader('connection', 'close')
  })
  // The close() of HTTP servers would also close idle connections, at once.
  const closed = new Promise<void>((resolve) => {
    NetServer.prototype.close.call(server, () => resolve())
  })
  await Promise.race([closed, sleep(grace_ms, undefined, { ref: false })])
  server.closeIdleConnections()
  await closed
}
