/** A proxy in front of the object store that counts requests and bytes. */
import { createServer, request } from 'node:http'
import type { AddressInfo } from 'node:net'

export interface CountingProxy {
  readonly port: number
  readonly counts: { requests: number; bytes: number }
  stop(): void
}

export async function startCountingProxy(store_port: number): Promise<CountingProxy> {
  const counts = { requests: 0, bytes: 0 }
  const server = createServer((asked, answer) => {
    counts.requests += 1
    // The Host header is part of the signature, so it must not change.
    const { method, url: path, headers } = asked
    const forward = request(
      { port: store_port, host: '127.0.0.1', method, path, headers },
      (got) => {
        answer.writeHead(got.statusCode ?? 502, got.headers)
        got.on('data', (chunk: Buffer) => (counts.bytes += chunk.byteLength))
        got.pipe(answer)
      },
    )
    forward.on('error', () => answer.destroy())
    asked.pipe(forward)
  })
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve))
  return {
    port: (server.address() as AddressInfo).port,
    counts,
    stop() {
      server.close()
      server.closeAllConnections()
    },
  }
}
