/** A TCP proxy that delays what the server sends: a slow network before an ingestor. */
import { type AddressInfo, connect, createServer, type Socket } from 'node:net'
import { setTimeout as sleep } from 'node:timers/promises'

export interface LatencyProxy {
  readonly port: number
  /** For bytes from now on. Earlier bytes keep their time, so that the order stays. */
  setDelay(delay_ms: number): void
  close(): void
}

export async function startLatencyProxy(server_port: number): Promise<LatencyProxy> {
  let delay_ms = 0
  const sockets = new Set<Socket>()
  const proxy = createServer((client) => {
    const server = connect(server_port, '127.0.0.1')
    let last = Promise.resolve()
    // A chain, because timers of different lengths would change the order.
    const afterDelay = (act: () => void): void => {
      const delayed = delay_ms === 0 ? undefined : sleep(delay_ms)
      last = last.then(() => delayed).then(act)
    }
    for (const socket of [client, server]) {
      sockets.add(socket)
      socket.on('error', () => undefined).once('close', () => sockets.delete(socket))
    }
    client.pipe(server)
    server.on('data', (bytes) => afterDelay(() => client.write(bytes)))
    server.once('close', () => afterDelay(() => client.destroy()))
    client.once('close', () => server.destroy())
  })
  await new Promise<void>((resolve) => proxy.listen(0, '127.0.0.1', resolve))
  return {
    port: (proxy.address() as AddressInfo).port,
    setDelay(ms) {
      delay_ms = ms
    },
    close() {
      proxy.close()
      for (const socket of sockets) socket.destroy()
    },
  }
}
