/** A proxy in front of a gateway, which counts what it passes on. */
import { createServer, type ServerResponse } from 'node:http'
import type { AddressInfo } from 'node:net'
import { buffer } from 'node:stream/consumers'

export interface GatewayProxy {
  readonly url: string
  /** Requests since the start whose path begins so. */
  count(path: string): number
  stop(): Promise<void>
}

/** `answerInstead`: answers a path itself, and returns true. */
export async function startGatewayProxy(
  gateway_url: string,
  answerInstead: (path: string, response: ServerResponse) => boolean = () => false,
): Promise<GatewayProxy> {
  const paths: string[] = []
  const server = createServer(async (request, response) => {
    const path = request.url!
    paths.push(path)
    const body = await buffer(request)
    if (answerInstead(path, response)) return
    const answer = await fetch(gateway_url + path, {
      method: request.method!,
      headers: Object.entries(request.headers).filter(
        ([name]) => !/^(host|connection|content-length|transfer-encoding)$/.test(name),
      ) as [string, string][],
      ...(request.method === 'POST' ? { body } : {}),
    })
    const headers = [...answer.headers].filter(([name]) => !/^(connection|keep-alive)$/.test(name))
    response.writeHead(answer.status, headers.flat()).end(Buffer.from(await answer.arrayBuffer()))
  })
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve))
  return {
    url: `http://127.0.0.1:${(server.address() as AddressInfo).port}`,
    count: (path) => paths.filter((one) => one.startsWith(path)).length,
    stop() {
      server.closeAllConnections()
      return new Promise<void>((resolve) => server.close(() => resolve()))
    },
  }
}
