/**
 * A TCP proxy before Postgres that loses the connection at a chosen moment of the conversation,
 * once, and is honest before and after.
 */
import { connect, createServer, type Socket } from 'node:net'
import { atFileEnd } from '../../support/file-end.ts'

/** What the client says when it happens: text that stands in the bytes it sends. */
export interface Loss {
  readonly when: string
  /** How many times this is said before it happens. */
  readonly skip: number
  /**
   * before: what the client said is not passed on. half: half of it is. answer: all of it is, and
   * the answer is thrown away.
   */
  readonly loses: 'before' | 'half' | 'answer'
}

export interface LossyProxy {
  readonly url: string
  /** True once the loss has happened. */
  readonly has_struck: () => boolean
}

export async function startLossyProxy(database_url: string, loss: Loss): Promise<LossyProxy> {
  const target = new URL(database_url)
  const sockets = new Set<Socket>()
  const wanted = Buffer.from(loss.when)
  let said = 0
  let has_struck = false

  const server = createServer((client) => {
    const upstream = connect(Number(target.port), target.hostname)
    let swallows_answer = false
    const end = (): void => {
      client.destroy()
      upstream.destroy()
    }
    for (const socket of [client, upstream]) {
      sockets.add(socket)
      socket.on('error', end)
      socket.on('close', end)
    }
    client.on('data', (chunk) => {
      if (has_struck || !chunk.includes(wanted) || said++ < loss.skip) {
        upstream.write(chunk)
        return
      }
      has_struck = true
      if (loss.loses === 'answer') {
        swallows_answer = true
        upstream.write(chunk)
      } else if (loss.loses === 'half') {
        upstream.write(chunk.subarray(0, chunk.length >>> 1), end)
      } else end()
    })
    upstream.on('data', (chunk) => {
      if (swallows_answer) end()
      else client.write(chunk)
    })
  })
  await new Promise<void>((resolve) => {
    server.listen(0, '127.0.0.1', resolve)
  })
  atFileEnd(() => {
    for (const socket of sockets) socket.destroy()
    server.close()
  })
  const address = server.address()
  const url = new URL(database_url)
  url.port = String(typeof address === 'object' ? address?.port : 0)
  return { url: url.href, has_struck: () => has_struck }
}
