/**
 * A TCP proxy in front of Postgres that drops the connection once, at a chosen point of the
 * conversation, and passes everything else on.
 */
import { connect, createServer, type Socket } from 'node:net'
import { atFileEnd } from '../../support/file-end.ts'

/** Text in the client's bytes at which the connection is dropped. */
export interface Loss {
  readonly when: string
  /** How many occurrences to skip first. */
  readonly skip: number
  /**
   * before: the bytes before the text are passed on. half: half of the received bytes after it too.
   * answer: all of them are, and the answer is dropped.
   */
  readonly loses: 'before' | 'half' | 'answer'
}

export interface LossyProxy {
  readonly url: string
  /** True once the connection was dropped. */
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
      let at = has_struck ? -1 : chunk.indexOf(wanted)
      while (at !== -1 && said++ < loss.skip) at = chunk.indexOf(wanted, at + wanted.length)
      if (at === -1) {
        upstream.write(chunk)
        return
      }
      has_struck = true
      if (loss.loses === 'answer') {
        swallows_answer = true
        upstream.write(chunk)
        return
      }
      const passed = loss.loses === 'half' ? at + ((chunk.length - at) >>> 1) : at
      upstream.write(chunk.subarray(0, passed), end)
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
