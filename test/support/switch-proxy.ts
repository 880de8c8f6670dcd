/** A TCP proxy whose target can change, as the name of a managed Postgres does at a failover. */
import { connect, createServer, type Socket } from 'node:net'
import { atFileEnd } from './file-end.ts'

export interface SwitchProxy {
  /** The URL through the proxy. */
  readonly url: string
  /** Closes all connections; new ones go to the same target. */
  cut(): void
  /** Closes all connections; new ones go there, or are refused. */
  pointTo(url: string | undefined): void
}

export async function startSwitchProxy(database_url: string): Promise<SwitchProxy> {
  const sockets = new Set<Socket>()
  let target: URL | undefined = new URL(database_url)
  const server = createServer((client) => {
    if (target === undefined) return void client.destroy()
    const upstream = connect(Number(target.port), target.hostname)
    for (const [from, to] of [
      [client, upstream],
      [upstream, client],
    ] as const) {
      sockets.add(from)
      from.on('error', () => undefined)
      from.on('close', () => {
        sockets.delete(from)
        to.destroy()
      })
      from.pipe(to)
    }
  })
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve))
  const cut = (): void => {
    for (const socket of sockets) socket.destroy()
  }
  atFileEnd(() => {
    cut()
    server.close()
  })
  const url = new URL(database_url)
  url.port = String((server.address() as { readonly port: number }).port)
  return {
    url: url.href,
    cut,
    pointTo(to) {
      target = to === undefined ? undefined : new URL(to)
      cut()
    },
  }
}
