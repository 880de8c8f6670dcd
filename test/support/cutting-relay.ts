/** A way to a service on which kept connections are lost at the moment of their next request. */
import { connect, createServer, type AddressInfo, type Socket } from 'node:net'
import { atFileEnd } from './file-end.ts'

export interface CuttingRelay {
  readonly url: string
  /** Those that are open now break together, when something is sent on one of them. */
  loseKept(): void
  /** How often that happened. */
  readonly lost_count: number
}

export async function startCuttingRelay(service_url: string): Promise<CuttingRelay> {
  const { hostname, port } = new URL(service_url)
  const open = new Set<Socket>()
  const doomed = new Set<Socket>()
  let lost_count = 0
  const server = createServer((near) => {
    open.add(near)
    const far = connect(Number(port), hostname)
    near.on('data', (chunk: Buffer) => {
      if (!doomed.has(near)) return far.write(chunk)
      lost_count += 1
      for (const socket of doomed) socket.resetAndDestroy()
      doomed.clear()
    })
    far.on('data', (chunk: Buffer) => near.write(chunk))
    for (const [socket, other] of [
      [near, far],
      [far, near],
    ] as const) {
      socket.on('error', () => other.destroy())
      socket.on('close', () => other.destroy())
    }
    near.on('close', () => {
      open.delete(near)
      doomed.delete(near)
    })
  })
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve))
  atFileEnd(() => {
    for (const socket of open) socket.destroy()
    server.close()
  })
  const url = new URL(service_url)
  url.port = String((server.address() as AddressInfo).port)
  return {
    url: url.href.replace(/\/$/, ''),
    loseKept() {
      for (const socket of open) doomed.add(socket)
    },
    get lost_count() {
      return lost_count
    },
  }
}
