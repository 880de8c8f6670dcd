/** Sends a request as the bytes that it is, so that it may be wrong in every way. */
import { connect } from 'node:net'

export interface RawRequest {
  readonly method: string
  /** As it is in the request line. */
  readonly target: string
  /** As they are sent, one after another. */
  readonly headers: readonly (readonly [name: string, value: string])[]
  readonly body: Buffer | undefined
}

export interface RawAnswer {
  /** 0: the server ended the connection without an answer. */
  readonly status: number
  readonly headers: ReadonlyMap<string, string>
  readonly text: string
}

const LIMIT_MS = 60_000

/** `where`: path of a unix socket, or port on 127.0.0.1. Of a stream only the head is read. */
export function sendRaw(where: string | number, request: RawRequest): Promise<RawAnswer> {
  const { method, target, headers, body } = request
  const lines = [
    `${method} ${target} HTTP/1.1`,
    ...headers.map(([name, value]) => `${name}: ${value}`),
    ...(body === undefined ? [] : [`content-length: ${body.length}`]),
    'connection: close',
    '',
    '',
  ]
  const bytes = Buffer.concat([Buffer.from(lines.join('\r\n'), 'latin1'), body ?? Buffer.alloc(0)])
  return new Promise((resolve, reject) => {
    const socket = typeof where === 'string' ? connect(where) : connect(where, '127.0.0.1')
    const chunks: Buffer[] = []
    socket.setTimeout(LIMIT_MS, () => {
      socket.destroy()
      reject(new Error(`No answer to ${method} ${target.slice(0, 200)}`))
    })
    socket.on('error', () => socket.destroy())
    socket.on('data', (chunk) => {
      chunks.push(chunk)
      const answer = parse(Buffer.concat(chunks))
      if (answer.headers.get('content-type') === 'text/event-stream') socket.destroy()
    })
    socket.on('close', () => resolve(parse(Buffer.concat(chunks))))
    socket.write(bytes)
  })
}

function parse(bytes: Buffer): RawAnswer {
  const end = bytes.indexOf('\r\n\r\n')
  if (end < 0) return { status: 0, headers: new Map(), text: '' }
  const [first = '', ...lines] = bytes.subarray(0, end).toString('latin1').split('\r\n')
  const headers = new Map(
    lines.map((line) => {
      const at = line.indexOf(':')
      return [line.slice(0, at).toLowerCase(), line.slice(at + 1).trim()] as const
    }),
  )
  const rest = bytes.subarray(end + 4)
  const is_chunked = headers.get('transfer-encoding') === 'chunked'
  const text = (is_chunked ? unchunked(rest) : rest).toString('utf8')
  return { status: Number(first.split(' ')[1] ?? 0), headers, text }
}

function unchunked(bytes: Buffer): Buffer {
  const parts: Buffer[] = []
  for (let at = 0; at < bytes.length;) {
    const line_end = bytes.indexOf('\r\n', at)
    const size = Number.parseInt(bytes.subarray(at, line_end).toString('latin1'), 16)
    if (line_end < 0 || !(size > 0)) break
    parts.push(bytes.subarray(line_end + 2, line_end + 2 + size))
    at = line_end + 2 + size + 2
  }
  return Buffer.concat(parts)
}
