/** A proxy before the object store that answers slowly, cuts connections, or changes bytes. */
import { createServer, request, type IncomingMessage, type ServerResponse } from 'node:http'
import type { AddressInfo } from 'node:net'
import { setTimeout as sleep } from 'node:timers/promises'

export type Fault =
  | { readonly kind: 'none' }
  /** Cuts every answer after this many bytes. */
  | { readonly kind: 'cut'; readonly bytes: number }
  /** Sends a piece of this many bytes every few milliseconds. */
  | { readonly kind: 'slow'; readonly bytes: number }
  /** The first answers, or all of them, have one byte changed. */
  | { readonly kind: 'damage'; times: number }
  /** Answers a range with the whole object, cut like `cut` while `times` is above 0. */
  | { readonly kind: 'no-ranges'; readonly bytes: number; times: number }
  /** Refuses the first requests, as if the signature had expired. */
  | { readonly kind: 'expired'; times: number }
  /** Sends a part of the first answer, then nothing more. */
  | { readonly kind: 'stall'; readonly bytes: number; times: number }

export interface FaultyStore {
  readonly endpoint: string
  fault: Fault
  /** Of GET requests for objects since the fault was set. */
  requests: { readonly range: string | undefined; sent_bytes: number }[]
  set(fault: Fault): void
  close(): Promise<void>
}

export async function openFaultyStore(endpoint: string): Promise<FaultyStore> {
  const target = new URL(endpoint)
  const server = createServer((asked, answer) => void pass(asked, answer))
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve))
  const { port } = server.address() as AddressInfo
  const store: FaultyStore = {
    endpoint: `http://127.0.0.1:${port}${target.pathname}`,
    fault: { kind: 'none' },
    requests: [],
    set(fault) {
      store.fault = fault
      store.requests = []
    },
    close: () =>
      new Promise((resolve) => {
        server.closeAllConnections()
        server.close(() => resolve())
      }),
  }

  async function pass(asked: IncomingMessage, answer: ServerResponse): Promise<void> {
    answer.on('error', () => undefined)
    const { fault } = store
    const is_file = asked.method === 'GET' && /\.(?:parquet|arrow|gz)\?/.test(asked.url!)
    const { range, ...headers } = asked.headers
    const keeps_range = !(is_file && fault.kind === 'no-ranges')
    // The Host header stays: the signature covers it.
    const options = {
      host: target.hostname,
      port: target.port,
      method: asked.method,
      path: asked.url,
    }
    const kept = keeps_range && range !== undefined ? { ...headers, range } : headers
    const passed = request({ ...options, headers: kept }, (got) => {
      const chunks: Buffer[] = []
      got.on('data', (chunk: Buffer) => chunks.push(chunk))
      got.on('end', () => void send(got, Buffer.concat(chunks)))
    })
    passed.on('error', () => answer.destroy())
    asked.pipe(passed)

    async function send(got: IncomingMessage, body: Buffer): Promise<void> {
      if (!is_file) return end(got, body)
      const entry = { range, sent_bytes: 0 }
      store.requests.push(entry)
      if (fault.kind === 'expired' && fault.times-- > 0) {
        answer.writeHead(403, { 'content-length': 0 })
        return void answer.end()
      }
      if (fault.kind === 'damage' && fault.times-- > 0) body[body.length >> 1]! ^= 1
      const cuts_now =
        fault.kind === 'cut' ||
        ((fault.kind === 'no-ranges' || fault.kind === 'stall') && fault.times-- > 0)
      const limit = cuts_now ? fault.bytes : body.length
      answer.writeHead(got.statusCode!, got.headers)
      const piece = fault.kind === 'slow' ? fault.bytes : body.length
      for (let at = 0; at < Math.min(limit, body.length); at += piece) {
        const bytes = body.subarray(at, Math.min(at + piece, limit))
        await new Promise((resolve) => answer.write(bytes, resolve))
        entry.sent_bytes += bytes.length
        if (fault.kind === 'slow') await sleep(4)
      }
      if (limit >= body.length) return void answer.end()
      if (fault.kind !== 'stall') answer.destroy()
    }

    function end(got: IncomingMessage, body: Buffer): void {
      answer.writeHead(got.statusCode!, got.headers)
      answer.end(body)
    }
  }

  return store
}
