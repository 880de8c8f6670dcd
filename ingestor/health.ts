/** GET /health: the status as JSON, 200 while frames reach the tape and Postgres, else 503. */
import { createServer } from 'node:http'
import { OperatorError } from '#core/errors.ts'
import { type IngestorStatus, isFailing } from './status.ts'

export interface HealthServer {
  readonly port: number
  close(): Promise<void>
}

export async function serveHealth(
  { host, port }: { readonly host: string; readonly port: number },
  status: () => IngestorStatus,
): Promise<HealthServer> {
  const server = createServer((request, response) => {
    if (request.method !== 'GET' || request.url?.split('?')[0] !== '/health') {
      response
        .writeHead(404, { 'content-type': 'text/plain' })
        .end('This port only serves GET /health.\n')
      return
    }
    const now = status()
    const failing = isFailing(now.state)
    response
      .writeHead(failing ? 503 : 200, {
        'content-type': 'application/json',
        'cache-control': 'no-store',
      })
      .end(`${JSON.stringify({ status: failing ? 'failing' : 'ok', ...now })}\n`)
  })
  await new Promise<void>((resolve, reject) => {
    server.once('error', (cause) =>
      reject(
        new OperatorError(
          'health_port_taken',
          `Cannot listen on ${host}:${port}: ${cause.message}.`,
          {
            hint: 'Choose another HEALTH_PORT, or unset it.',
            cause,
          },
        ),
      ),
    )
    server.listen(port, host, resolve)
  })
  const address = server.address()
  return {
    port: typeof address === 'object' && address !== null ? address.port : port,
    close: () =>
      new Promise((resolve) => {
        server.close(() => resolve())
        server.closeAllConnections()
      }),
  }
}
