/**
 * Callers of an HTTP server in a process of their own: each sends its next GET once the last answer
 * is complete, over a connection that stays open. Started by load.ts.
 */
import { connect, type Socket } from 'node:net'
import { quantile } from '../quantile.ts'

export interface LoadOrder {
  readonly port: number
  /** Asked for in turn. */
  readonly paths: readonly string[]
  readonly callers: number
  /** Besides Host and Accept. */
  readonly headers?: Readonly<Record<string, string>>
  /** Asked for before the measurement, by `load`; by default `paths` for a while. */
  readonly warm_up?: readonly string[]
  /** A 503 is counted; otherwise it ends the callers, as every other error does. */
  readonly may_be_busy?: boolean
  /** It ends after this time, or once each path was asked for. */
  readonly ends_after: { readonly duration_ms: number } | 'each path'
}

export interface LoadResult {
  readonly count: number
  readonly elapsed_s: number
  readonly p50_ms: number
  readonly p99_ms: number
  /** Answers of 503, if `may_be_busy`. */
  readonly busy_count: number
}

const END_OF_HEAD = '\r\n\r\n'

process.on('message', (order: LoadOrder) => {
  void run(order).then((result) => process.send!(result))
})

async function run(order: LoadOrder): Promise<LoadResult> {
  const { port, paths, callers, headers = {}, ends_after, may_be_busy = false } = order
  let busy_count = 0
  const lines = Object.entries({ host: `127.0.0.1:${port}`, accept: '*/*', ...headers })
  const head = lines.map(([name, value]) => `${name}: ${value}\r\n`).join('')
  const requests = paths.map((path) => Buffer.from(`GET ${path} HTTP/1.1\r\n${head}\r\n`))
  let next = 0
  const waits: number[] = []
  const begun = performance.now()
  const isOver = (): boolean =>
    ends_after === 'each path'
      ? next >= paths.length
      : performance.now() >= begun + ends_after.duration_ms
  await Promise.all(
    Array.from({ length: callers }, async () => {
      const socket = connect(port, '127.0.0.1').setNoDelay(true)
      const answers = readAnswers(socket)
      while (!isOver()) {
        const sent_at = performance.now()
        socket.write(requests[next++ % requests.length]!)
        const { value: is_busy } = await answers.next()
        if (is_busy === true && !may_be_busy) throw new Error(`${port} answered 503.`)
        if (is_busy === true) busy_count += 1
        waits.push(performance.now() - sent_at)
      }
      socket.destroy()
    }),
  )
  const elapsed_s = (performance.now() - begun) / 1_000
  waits.sort((a, b) => a - b)
  return {
    count: waits.length,
    elapsed_s,
    p50_ms: quantile(waits, 0.5),
    p99_ms: quantile(waits, 0.99),
    busy_count,
  }
}

/**
 * Yields for each complete answer whether it is a 503. Throws if one has another status than 200 or
 * no Content-Length.
 */
async function* readAnswers(socket: Socket): AsyncGenerator<boolean, undefined> {
  let text = ''
  for await (const chunk of socket as AsyncIterable<Buffer>) {
    text += chunk.toString('latin1')
    const head = text.indexOf(END_OF_HEAD)
    if (head < 0) continue
    const length = /\r\ncontent-length: (\d+)/i.exec(text.slice(0, head))?.[1]
    const is_busy = text.startsWith('HTTP/1.1 503')
    if (!(is_busy || text.startsWith('HTTP/1.1 200')) || length === undefined)
      throw new Error(text.slice(0, head))
    const end = head + END_OF_HEAD.length + Number(length)
    if (text.length < end) continue
    text = text.slice(end)
    yield is_busy
  }
}
